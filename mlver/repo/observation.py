"""Seeing which files of the work tree a command reads, without its help.

Two witnesses: a `sitecustomize` of ours in every Python process it starts (see `observer/`), which
also tells about its interpreter and packages; and on Linux the kernel, which tells of every file that
any process opened and closed without writing, and so of readers that are not Python (Arrow, DuckDB, R).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from os import fsdecode, pathsep
from pathlib import Path

from mlver.frozen import frozen
from mlver.objects.commit import Environment
from mlver.repo.context import canonical_name
from mlver.repo.opens import Opens, watch_opens
from mlver.storage import durable

_OBSERVER = Path(__file__).parent / "observer"


@frozen
class Seen:
    """What was seen of a command: tree paths it read before anybody wrote them, and its environment if it is Python."""

    read: frozenset[str] = frozenset()
    environment: Environment | None = None


class Observation:
    """One command being watched. `environment` is for its processes; `seen` is filled in when it has ended."""

    def __init__(self, root: Path, report: Path, base: Mapping[str, str]) -> None:
        self._root, self._report = root, report
        paths = [str(_OBSERVER), *([base["PYTHONPATH"]] if base.get("PYTHONPATH") else [])]
        self.environment = {
            **base,
            "PYTHONPATH": pathsep.join(paths),
            "MLVER_OBSERVE": str(report),
            "MLVER_OBSERVE_ROOT": str(root),
            "MLVER_OBSERVE_REAL": str(root.resolve()),
        }
        self.seen = Seen()

    def collect(self, opens: Opens) -> None:
        """Put together what both witnesses say."""
        made_meanwhile = opens.written - opens.read  # by a process that is not Python, and read then
        told = self._told()
        read = {path for path, how in told.items() if how == "rw" or (how == "r" and path not in made_meanwhile)}
        self.seen = Seen(frozenset(opens.read | read), self._environment())

    def _told(self) -> dict[str, str]:
        """Return what Python processes did with each path, in order: `r`, `w`, `rw` or `wr`."""
        try:
            records = durable.read_file(self._report).split(b"\0")
        except FileNotFoundError:
            return {}
        told: dict[str, str] = {}
        for record in records[:-1]:
            how, path = fsdecode(record[:1]), self._tree_path(fsdecode(record[1:]))
            if path and how not in told.get(path, ""):
                told[path] = told.get(path, "") + how
        return told

    def _tree_path(self, full: str) -> str | None:
        for root in (self._root, self._root.resolve()):
            with suppress(ValueError):
                return Path(full).relative_to(root).as_posix()
        return None

    def _environment(self) -> Environment | None:
        try:
            plain = json.loads(durable.read_file(self._environment_file))
            packages = {canonical_name(str(n)): str(version) for n, version in sorted(plain["packages"].items())}
            return Environment(plain["python"], plain["implementation"], plain["platform"], packages)
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None  # no Python ran, or it was killed while it wrote this

    @property
    def _environment_file(self) -> Path:
        return self._report.with_name(self._report.name + ".env")

    def forget(self) -> None:
        """Remove what was written meanwhile."""
        for path in (self._report, self._environment_file):
            with suppress(FileNotFoundError):
                durable.remove(path, sync=False)


@contextmanager
def observe(root: Path, scratch: Path, files: Iterable[str], base: Mapping[str, str]) -> Iterator[Observation]:
    """Watch what is run inside the block. `files` are the tree paths of interest, `scratch` a folder for notes."""
    durable.make_dirs(scratch, sync=False)
    observation = Observation(root, scratch / f"run-{secrets.token_hex(8)}", base)
    try:
        with watch_opens(root, files) as opens:
            yield observation
        observation.collect(opens)
    finally:
        observation.forget()
