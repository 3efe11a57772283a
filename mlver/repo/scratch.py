"""A scratch folder: artifacts written out somewhere else, for the user's programs to work on.

Work tree, repository and releases are out of their reach: the folder lies outside of them, holds no
`.mlver`, and is gone afterwards, whatever the program did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.repo.materialise import remove_paths, write_artifacts
from mlver.repo.programs import OUTPUT_LIMIT, Ran, ending_all, run_program
from mlver.repo.snapshot import Artifact
from mlver.storage import durable
from mlver.storage.beneath import Beneath
from mlver.storage.temporary import discard, make_folder, temporary_folder

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

OUT = "out.json"  # what `{out}` stands for in a command
_PLACE = re.compile(r"\{([a-z_]+)\}")


@frozen
class Scratch:
    """A folder with artifacts laid out (`folder`), and beside it `notes`, where programs' answers go."""

    repo: Repository
    folder: Path
    notes: Path

    def lay(self, artifacts: Iterable[Artifact]) -> None:
        """Write artifacts of the store, replacing what stands under their paths. Raises Damaged, Refused, LocalIO."""
        write_artifacts(self.repo.store, list(artifacts), self.folder)

    def put(self, path: str, content: bytes) -> None:
        """Write one file."""
        with Beneath(self.folder) as root:
            file, full = root.new_file(path)
            with file:
                file.write(content)
                file.commit(full, mode=0o644)

    def make_room(self, paths: Iterable[str]) -> None:
        """Make the folders of files a program will write: where it was recorded, they were there."""
        with Beneath(self.folder) as root:
            for path in paths:
                root.make_room(path)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files; what is not there is fine."""
        remove_paths(self.folder, paths)

    def run(
        self,
        command: Sequence[str],
        *,
        timeout: float | None = None,
        environment: Mapping[str, str] | None = None,
        **places: str,
    ) -> Ran:
        """Run `command` here. `{name}` in a word becomes `places[name]`, `{out}` a file for its answer.

        Raises UsageError for a place that is unknown, and when the command cannot be started.
        """
        known = {"out": str(self.notes / OUT), **places}
        discard(self.notes / OUT)  # of the run before
        return run_program(filled(command, known), self.folder, self.notes, environment=environment, timeout=timeout)

    def answer(self, ran: Ran) -> bytes:
        """Return what the program answered: the file it wrote to `{out}`, else its standard output."""
        try:
            return durable.read_file(self.notes / OUT, limit=OUTPUT_LIMIT)
        except FileNotFoundError:
            return ran.stdout


def filled(command: Sequence[str], places: Mapping[str, str]) -> tuple[str, ...]:
    """Return a command with its `{name}` places filled; UsageError naming one that is unknown."""

    def fill(found: re.Match[str]) -> str:
        if found[1] not in places:
            known = ", ".join(f"{{{name}}}" for name in sorted(places))
            raise UsageError(f"unknown place {found[0]} in the command", hint=f"known are {known}")
        return places[found[1]]

    return tuple(_PLACE.sub(fill, word) for word in command)


@contextmanager
def scratch(
    repo: Repository,
    artifacts: Mapping[str, Artifact],
    changes: Mapping[str, Artifact | bytes | None] | None = None,
) -> Iterator[Scratch]:
    """Yield a scratch folder holding `artifacts` (path -> artifact) with `changes` laid over them.

    A change is another artifact (of another commit, say), new bytes, or None: leave the file out. The
    folder is removed in the end. Raises Damaged when something is missing in the store, LocalIO.
    """
    changes = changes or {}
    chosen = {path: a for path, a in artifacts.items() if path not in changes}
    chosen |= {path: replace(a, path=path) for path, a in changes.items() if isinstance(a, Artifact)}
    with ending_all(), temporary_folder("scratch") as base:
        made = Scratch(repo, make_folder(base / "work"), make_folder(base / "notes"))
        made.lay(chosen.values())
        for path, content in changes.items():
            if isinstance(content, bytes):
                made.put(path, content)
        yield made
