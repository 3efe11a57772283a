"""Recording how artifacts are made: the work tree before and after, as one derivation."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.commit import Derivation, Environment, GitState, Used
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, DerivationId
from mlver.objects.result import jsonable
from mlver.objects.state import View
from mlver.repo.context import capture_environment, git_state
from mlver.repo.ignore import IGNORE_FILE
from mlver.repo.project import PROJECT_FILE, matches
from mlver.repo.transaction import transact
from mlver.repo.worktree import FileStat

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

CODE = "code"
ASSUMED_INPUTS = ("data", "config", "rules", CODE)  # what a model is taken to be made from when nobody says
_OWN_FILES = (PROJECT_FILE, IGNORE_FILE)
_COMMAND_SHOWN = 200


@frozen
class Before:
    """The work tree at one moment: its files and their blob ids; `started` by the repository's clock."""

    files: Mapping[str, FileStat]
    ids: Mapping[str, BlobId]
    started: datetime
    ticks: float

    @property
    def seconds(self) -> float:
        """Seconds since then, whatever the repository's clock says."""
        return round(perf_counter() - self.ticks, 3)


def begin(repo: Repository) -> Before:
    """Return the work tree as it is now, to be compared with what it is when the work is done."""
    found = repo.worktree.scan()
    repo.worktree.identify(found)
    return Before(found.files, found.ids, repo.now(), perf_counter())


def named(repo: Repository, patterns: Sequence[str], files: Iterable[str]) -> list[str]:
    """Return the files that paths, folders or globs name; UsageError naming the pattern that names none."""
    known, found = list(files), dict[str, None]()
    for pattern in patterns:
        path = repo.tree_path(pattern)
        hits = [file for file in known if path == "" or matches(file, path)]
        if not hits:
            raise UsageError(f"no such file: {pattern}", hint="name files, folders or globs of the work tree")
        found |= dict.fromkeys(hits)
    return list(found)


def outputs_of(repo: Repository, before: Before, after: Before, patterns: Sequence[str]) -> list[str]:
    """Return the paths of what was made: the declared files, else all that were written meanwhile.

    Raises UsageError naming a declared output that is not there.
    """
    if not patterns:
        return [path for path, info in after.files.items() if _written(before.files.get(path), info)]
    for pattern in patterns:
        path = repo.tree_path(pattern)
        if not any(path == "" or matches(file, path) for file in after.files):
            if os.path.lexists(repo.root / path):
                raise UsageError(f"output {pattern} is left out by {IGNORE_FILE}; nothing was recorded")
            raise UsageError(
                f"output {pattern} was not written; nothing was recorded", hint="check the path after --out"
            )
    return named(repo, patterns, after.files)


def _written(old: FileStat | None, new: FileStat) -> bool:
    """Whether a file was written, be it with the same bytes."""
    return old is None or (old.type, old.size, old.mtime, old.ino) != (new.type, new.size, new.mtime, new.ino)


def assumed_inputs(kinds: Mapping[str, str], outputs: Iterable[str] = ()) -> list[str]:
    """Return what is taken for the inputs when nothing is known of them: all data, config, rules and code."""
    made = set(outputs)
    return [path for path, kind in kinds.items() if path not in made and may_go_in(path, kind)]


def may_go_in(path: str, kind: str) -> bool:
    """Whether an artifact may have gone into a model, for all one knows."""
    return kind in ASSUMED_INPUTS and path not in _OWN_FILES


def files_in_command(repo: Repository, command: Sequence[str], files: Iterable[str], cwd: str) -> set[str]:
    """Return the files of the work tree that words of a command name: scripts it runs, perhaps outputs."""
    known, found = set(files), set[str]()
    for word in command:
        try:
            path = repo.tree_path(word, repo.root / cwd)
        except (UsageError, ValueError):  # outside of the work tree, or no path at all
            continue
        if path in known:
            found.add(path)
    return found


def used(repo: Repository, then: Before, paths: Iterable[str]) -> tuple[Used, ...]:
    """Return files of the work tree as it was by content, sorted by path."""
    files = {path: then.files[path] for path in sorted(set(paths))}
    snapshot = repo.snapshot_of(files, {path: then.ids[path] for path in files})
    return tuple(Used(path, artifact.id, artifact.kind) for path, artifact in snapshot.artifacts.items())


def plain_parameters(parameters: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return parameters as objects hold them, NaN as text."""
    plain: dict[str, Plain] = jsonable(parameters)
    return plain


def measured(repo: Repository, seconds: float) -> float | None:
    """Return `seconds`, or None when the repository's clock is set by hand: no id may depend on them then."""
    return seconds if abs((repo.now() - datetime.now(UTC)).total_seconds()) < 2 else None


def keep(
    repo: Repository, derivation: Derivation, environment: Environment | None, command: Sequence[str]
) -> DerivationId:
    """Store a derivation (with `environment`, else mlver's own) for the next commit to attach; return its id.

    One that says the same as what its outputs carry already, but for when it ran, is not recorded again.
    """
    with repo.store.session() as session:
        where = session.put_object(environment or capture_environment())
        git: GitState | None = git_state(repo.root, session.put_bytes)
        whole = replace(derivation, environment=where, git=git)
        if known := _known(repo, whole):
            return known
        id = session.put_object(whole)
        session.finish()

    def change(view: View) -> View:
        return replace(view, pending={**view.pending, **dict.fromkeys((o.path for o in whole.outputs), id)})

    words = whole.name or shlex.join(command)
    transact(repo, f"run {words}"[:_COMMAND_SHOWN].rstrip(), change)
    return id


def _known(repo: Repository, new: Derivation) -> DerivationId | None:
    """Return the derivation that all outputs carry now, if it differs in nothing but the time it took and its git."""
    view = repo.refresh()
    committed = repo.commit(view.head).derivations if view.head else {}
    carried = {view.pending.get(output.path) or committed.get(output.path) for output in new.outputs}
    id = carried.pop() if len(carried) == 1 else None
    if id is None:
        return None
    old = repo.store.get_object(Derivation, id)
    timeless = replace(old, started=new.started, seconds=new.seconds, git=new.git)
    return id if timeless == new else None
