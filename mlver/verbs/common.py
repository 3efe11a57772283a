"""Result parts that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mlver.kinds.base import Value
from mlver.objects.ids import BlobId, CommitId

# called with (bytes done, bytes in all, what is being done); progress never changes a result
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class CommitInfo:
    """One commit as lists show it. `refs` are the branches, tags and stages that name it."""

    id: CommitId
    parents: tuple[CommitId, ...]
    author: str
    time: datetime
    message: str
    refs: tuple[str, ...] = ()
    trailers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.split("\n", 1)[0]


@dataclass(frozen=True)
class FileChange:
    """One artifact that differs. `change` is `added`, `removed`, `modified` or `renamed` (`was` = old path)."""

    path: str
    kind: str
    change: str
    old_id: BlobId | None = None
    new_id: BlobId | None = None
    old_size: int | None = None
    new_size: int | None = None
    was: str | None = None


@dataclass(frozen=True)
class MetricDelta:
    """One metric on both sides. `verdict` is `better`, `worse`, `same`, `changed` (direction unknown) or `new`, `gone`.

    `slice` is empty for everything; `dataset` names what it was measured on, `old_n`/`new_n` the sample sizes.
    `note` says why a comparison is doubtful (different dataset versions).
    """

    name: str
    slice: str
    dataset: str | None
    old: Value
    new: Value
    delta: float | None
    verdict: str
    old_n: int | None = None
    new_n: int | None = None
    note: str | None = None
