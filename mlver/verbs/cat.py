"""`cat`: the bytes of an artifact, one unit of it, or the head of a table, without restoring."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from mlver.errors import LocalIO, NegativeAnswer, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Unreadable, Value
from mlver.objects.result import Result
from mlver.repo.folders import is_folder
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.snapshot import Snapshot
from mlver.repo.unit_reader import value_of


@frozen
class CatResult(Result):
    """One unit's value, or the first `limit` rows of a table (`rows`, with `more` when cut), or their number.

    `columns` and `where` are what was asked for. With `where`, `more` says that not all was looked at.
    """

    schema: ClassVar[str] = "mlver.cat/v1"
    path: str
    kind: str
    unit: str | None = None
    value: Value = None
    rows: tuple[dict[str, Value], ...] | None = None
    more: bool = False
    columns: tuple[str, ...] = ()
    where: str | None = None
    count: int | None = None


def cat(repo: Repository, target: str, write: Callable[[bytes], Any]) -> None:
    """Stream the exact bytes of `PATH`, `PATH@REV` or `REV:PATH` to `write`, verified at the end."""
    snapshot, path, unit = locate_artifact(repo, target)
    if unit is not None:
        raise UsageError(f"{target} is one unit, not a file", hint=f"mlver show {shlex.quote(str(target))}")
    if path.endswith("/"):
        raise UsageError(f"{path} is a folder, not a file", hint=f"mlver cat --head 5 {shlex.quote(path)}")
    artifact = snapshot[path]
    if snapshot.commit is not None:
        repo.store.copy_blob(artifact.id, write)
        return
    with snapshot.source(path).open() as stream:
        try:
            while data := stream.read(1 << 20):
                write(data)
        except OSError as error:
            raise LocalIO(f"cannot read {path}: {error.strerror}") from None


def locate_artifact(repo: Repository, target: str) -> tuple[Snapshot, str, str | None]:
    """Return snapshot, path and unit of a target; the path of a folder ends in `/`.

    Without a revision HEAD answers, else the work tree.
    """
    parsed = parse_target(repo, target)
    if parsed.path is None:
        raise UsageError(f"{target} names a commit, not an artifact", hint=f"mlver show {shlex.quote(str(target))}")
    if parsed.rev is not None:
        snapshot = repo.snapshot(repo.resolve(parsed.rev))
    else:
        snapshot = repo.head_snapshot()
        if not snapshot.holds(parsed.path) and (repo.in_work_tree(parsed.path) or is_folder(repo.root, parsed.path)):
            snapshot = repo.work_snapshot()
    found = snapshot.find(parsed.path)  # raises, naming what comes close
    return snapshot, found.path, parsed.unit


def cat_units(repo: Repository, target: str, *, limit: int = 20) -> CatResult:
    """Return one unit (`PATH#UNIT`), or the first rows or units of an artifact as values."""
    snapshot, path, unit = locate_artifact(repo, target)
    kind = snapshot.kind(path)
    try:
        if unit is not None:
            return CatResult(path, kind.name, unit, value_of(snapshot.units(path, late=True), unit, path)[1])
        rows, more = kind.head(snapshot.content(path), snapshot.spec(path), limit)
    except Unreadable as reason:
        raise NegativeAnswer(
            f"{path} is not readable as {kind.name}: {reason}", hint=f"mlver cat {shlex.quote(str(target))}"
        ) from None
    return CatResult(path, kind.name, rows=tuple(rows), more=more)


def cat_rows(
    repo: Repository,
    target: str,
    *,
    where: str | None = None,
    columns: Sequence[str] = (),
    limit: int | None = 20,
    count: bool = False,
) -> CatResult:
    """Return the rows of a table that meet a condition, of some columns, at most `limit`; or `count` them.

    Nothing is restored, and no more is read than it takes: row groups and columns of Parquet, the beginning of
    large text. UsageError names the place in a condition that makes no sense (kinds/tables/where.py).
    """
    snapshot, path, unit = locate_artifact(repo, target)
    if unit is not None:
        raise UsageError(f"{target} is one unit, not a table", hint=f"mlver show {shlex.quote(str(target))}")
    kind = snapshot.kind(path)
    try:
        found = kind.select(
            snapshot.content(path), snapshot.spec(path), where=where, columns=columns, limit=limit, count=count
        )
    except Unreadable as reason:
        raise NegativeAnswer(
            f"{path} is not readable as {kind.name}: {reason}", hint=f"mlver cat {shlex.quote(str(target))}"
        ) from None
    return CatResult(
        path,
        kind.name,
        rows=None if count else found.rows,
        more=found.more,
        columns=found.columns,
        where=where,
        count=found.count,
    )
