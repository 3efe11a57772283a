"""What is on disk in the world of `tests/fault/world.py`: heads, files, names, and everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mlver.errors import MlverError
from mlver.repo.head import read_head
from mlver.repo.release_store import store_folder
from mlver.repo.releases import linked, serves, settle, unsettled
from mlver.repo.repository import Repository
from mlver.storage.durable import TEMP_PREFIX
from mlver.storage.local import LocalStorage
from mlver.verbs.fsck import fsck
from tests.fault.world import NOW

REPOSITORIES = {"repo": "repo/.mlver", "hub": "hub", "ben": "ben/.mlver", "new": "new/.mlver", "empty": "empty/.mlver"}
Heads = dict[str, str]


def open_at(root: Path) -> Repository:
    """Open a repository as ana, at a moment that never changes."""
    return Repository.open(root, actor="ana", clock=lambda: NOW)


def files(root: Path) -> dict[str, bytes]:
    """Return what is outside of repositories, and their settings: every file's bytes by path, of a link its target."""
    found = {}
    for folder, folders, names in os.walk(root):
        if folder == str(root / "hub"):
            folders.clear()
        if folder.endswith("/.mlver"):
            folders.clear()
            names = ["config.toml"] if {"config.toml", "format"} <= {*names} else []
        for name in names + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            path = Path(folder, name)
            if not name.startswith(TEMP_PREFIX):
                data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
                found[path.relative_to(root).as_posix()] = data
    return {path: data for path, data in found.items() if not path.startswith("hub/") or path == "hub/config.toml"}


def heads(root: Path, say: Callable[[str], None] | None = None) -> Heads:
    """Return the id of the newest operation of each repository that there is."""
    found = {}
    for name, at in REPOSITORIES.items():
        if (root / at / "format").exists():
            try:
                found[name] = str(read_head(LocalStorage(root / at)).id)
            except MlverError as error:
                if say is None:
                    raise
                say(f"{name} cannot be opened: {error.message}")
                found[name] = "none"
    return found


def line_of(root: Path, key: str, old: str | None, new: str) -> list[str | None]:
    """The operations from `new` back to `old`."""
    with open_at(root / REPOSITORIES[key].partition("/")[0]) as repo:
        line = [str(id) for id, _ in repo.operations()]
    return [*line[: line.index(old) + 1]] if old in line else [new, old]


def views(root: Path, several: bool) -> dict[str, object]:
    """Return what the repositories are at; the fact log does not count where the command is more than one step."""
    found: dict[str, object] = {}
    for name, path in REPOSITORIES.items():
        if (root / path / "format").exists():
            with open_at(root / path.partition("/")[0]) as repo:
                view = repo.view
                live = {(at, to): (one.commit, one.release) for at, by in view.stages.items() for to, one in by.items()}
                found[name] = [view.head, view.branches, view.tags, live, None if several else view.facts]
    return found


def wrong_with(root: Path) -> Iterator[str]:
    """Yield what is wrong with a repository, once its stages were settled."""
    with open_at(root) as repo:
        for slot, error in settle(repo).problems:  # what the next command that moves a stage does first
            yield f"{slot} cannot be settled: {error.message}"
        for name in unsettled(repo):
            yield f"{name} is not settled"
        for problem in fsck(repo).problems:
            yield f"fsck: {problem.what}: {problem.detail}"
        for stage_, scopes in repo.view.stages.items():
            for scope, live in scopes.items():
                if serves(repo, stage_):
                    served = _files_of(store_folder(repo) / str(linked(repo, stage_, scope)))
                    snapshot = repo.snapshot(live.commit)
                    wrong = [path for path, data in served.items() if snapshot.source(path).open().read() != data]
                    if not served or wrong:
                        yield f"{stage_} serves {wrong or 'nothing'}"


def _files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
