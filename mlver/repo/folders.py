"""Which folders are one artifact, and what belongs to them.

Only files are stored in trees. A folder is read as one artifact where somebody asks for it: as one table
when mlver.toml says `partitioned = true` of it, or when its subfolders are called `name=value`; else as a
map of files. Nothing of this is recorded, so it can never disagree with the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.errors import UsageError
from mlver.kinds.folder import FolderSource, Part, is_part, table_root
from mlver.objects.ids import BlobId
from mlver.objects.tree import TREE
from mlver.repo.project import PROJECT_FILE, Project
from mlver.storage import looking

if TYPE_CHECKING:
    from mlver.repo.snapshot import Artifact, Snapshot


def tables_of(artifacts: Mapping[str, Artifact], project: Project) -> dict[str, tuple[str, ...]]:
    """Return the folders that are one table, by path with a `/` at the end, and the paths of their parts."""
    declared = declared_tables(project)
    found: dict[str, list[str]] = {}
    for artifact in artifacts.values():
        if (folder := _table_of(artifact, project, declared)) is not None:
            found.setdefault(folder, []).append(artifact.path)
    return {folder: tuple(paths) for folder, paths in found.items()}


def table_holding(snapshot: Snapshot, path: str) -> str | None:
    """Return the folder that is one table and of which the file is a part, if it is; reads no other folder."""
    artifact = snapshot.artifacts.get(path)
    return _table_of(artifact, snapshot.project, declared_tables(snapshot.project)) if artifact is not None else None


def _table_of(artifact: Artifact, project: Project, declared: tuple[str, ...]) -> str | None:
    path = artifact.path
    if artifact.kind != "data":
        return None
    folder = next((folder for folder in declared if path.startswith(folder)), None)
    if folder is None and (folder := table_root(path)) is not None:
        folder = None if project.spec(folder).options.get("partitioned") is False else folder
    return folder if folder is not None and is_part(path[len(folder) :]) else None


def declared_tables(project: Project) -> tuple[str, ...]:
    """Return the folders that mlver.toml calls partitioned, outer ones first; UsageError when one is no plain path."""
    found = set()
    for rule in project.artifacts:
        stated = rule.spec.options.get("partitioned")
        if stated not in (None, True, False):
            raise UsageError(f"{PROJECT_FILE}: artifact {rule.path!r}: partitioned must be true or false")
        if stated:
            folder = rule.path.removeprefix("./").rstrip("/")
            if not folder or any(mark in folder for mark in "*?["):
                raise UsageError(f"{PROJECT_FILE}: artifact {rule.path!r}: a partitioned folder needs a plain path")
            found.add(f"{folder}/")
    return tuple(sorted(found))


def folder_artifact(snapshot: Snapshot, path: str) -> Artifact | None:
    """Return a folder as an artifact, None when no file lies below it.

    Its id is the BLAKE3 of the list of its parts, its size that of all parts together.
    """
    from mlver.repo.snapshot import Artifact

    folder = f"{path.rstrip('/')}/"
    parts = parts_of(snapshot, folder)
    if not parts:
        return None
    listing = "".join(f"{part.id} {part.path[len(folder) :]}\n" for part in parts)
    kind = "data" if folder in snapshot.tables else "file"
    id = BlobId.of(listing.encode("utf-8", "surrogateescape"))
    return Artifact(folder, TREE, kind, id, sum(part.size for part in parts))


def parts_of(snapshot: Snapshot, folder: str) -> list[Artifact]:
    """Return the artifacts a folder consists of: of a table its parts, else all that lie below."""
    if folder in snapshot.tables:
        return [snapshot.artifacts[path] for path in snapshot.tables[folder]]
    return [artifact for path, artifact in snapshot.artifacts.items() if path.startswith(folder)]


def is_folder(root: Path, path: str) -> bool:
    """Whether a folder stands at a tree path of the work tree now, whatever nonsense the path is."""
    return looking.is_folder(root / path)


def folder_source(snapshot: Snapshot, folder: str, only: Iterable[Artifact] | None = None) -> FolderSource:
    """Return the parts of a folder with their bytes."""
    parts = parts_of(snapshot, folder) if only is None else only
    return FolderSource(folder, tuple(Part(a.path[len(folder) :], str(a.id), snapshot.source(a.path)) for a in parts))
