"""What `gc` found, dropped and freed."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId, OperationId
from mlver.objects.result import Result


@frozen
class PathBytes:
    """Bytes of an artifact, as they lie in packs, that nothing else needs."""

    path: str
    bytes: int


@frozen
class Dropped:
    """A commit that goes: the branch it was on, and what goes with it, the largest paths first.

    `bytes` are counted once, with the oldest commit that has them.
    """

    commit: CommitId
    subject: str
    author: str
    time: datetime
    branch: str | None
    bytes: int
    paths: tuple[PathBytes, ...]


@frozen
class GcResult(Result):
    """One run of gc. Of the `commits` kept, `waiting` have lost their name and stay for the retention.

    `bytes_before` and `bytes_after` are those of all packs, without the trash. `unnamed` are bytes that belong to
    no commit: leftovers of commands that failed or were cut short, and second copies. `spared` are packs too
    young to be touched, `damaged` those that gc leaves to fsck. `trash` is what lies in the trash afterwards,
    `emptied` what was removed from it for good. `operation` is None when no pack was replaced.
    """

    schema: ClassVar[str] = "mlver.gc/v1"
    dry_run: bool
    commits: int
    dropped: tuple[Dropped, ...]
    unnamed: int
    packs_before: int
    packs_after: int
    bytes_before: int
    bytes_after: int
    trash: int
    emptied: int
    waiting: int = 0
    spared: int = 0
    damaged: tuple[str, ...] = ()
    operation: OperationId | None = None

    @property
    def freed(self) -> int:
        """Bytes by which the packs shrink: they are in the trash until that is emptied."""
        return self.bytes_before - self.bytes_after


@frozen
class Step:
    """One step of the way from a root: what it is, for people, and its id."""

    what: str
    id: str


@frozen
class WhyResult(Result):
    """What keeps an object: the name of the root, and the way from there. Not `kept`: the next gc may drop it."""

    schema: ClassVar[str] = "mlver.gc-why/v1"
    target: str
    kept: bool
    root: str | None
    way: tuple[Step, ...] = ()


@frozen
class RestoreTrashResult(Result):
    """What came back from the trash; `commits` are those that no name leads to."""

    schema: ClassVar[str] = "mlver.gc-restore/v1"
    packs: int
    bytes: int
    commits: tuple[CommitId, ...]
