"""What `blame` returns."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result


@frozen
class BlamedUnit:
    """One part and the commit that last changed it (or, for a history, one of its changes).

    `unit` is None for a whole artifact. `why` is the stated reason; `ticket` and `alert` what the
    commit names. `change` is `added`, `changed` or `removed`. For a blame of a whole table,
    `count` is the number of rows the entry stands for.
    """

    path: str
    unit: str | None
    kind: str
    change: str
    commit: CommitId | None
    author: str
    time: datetime | None
    message: str
    why: str
    ticket: tuple[str, ...] = ()
    alert: tuple[str, ...] = ()
    old: Value = None
    new: Value = None
    text: str | None = None
    count: int = 1


@frozen
class BlameResult(Result):
    """`units` newest change first for one unit (its whole history), in file order for an artifact.

    `live` describes the stage entry when a stage was blamed. A unit that differs in the work tree
    from HEAD has `commit` None and author `not committed yet`.
    """

    schema: ClassVar[str] = "mlver.blame/v1"
    target: str
    rev: CommitId | None
    units: tuple[BlamedUnit, ...]
    truncated: bool = False
    live: str | None = None
