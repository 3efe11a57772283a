"""What `redact` removed, and everything that was made of it or may still hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import BlobId, CommitId, OperationId
from mlver.objects.result import Result
from mlver.verbs.impact import Affected, ServedCommit


@frozen
class RedactedBlob:
    """One version of a file whose bytes go; `commits` of it are counted, `first` and `last` by their time.

    Of rows, `replacement` is the version without them that is read from now on, of `length` bytes.
    """

    id: BlobId
    paths: tuple[str, ...]
    kind: str
    size: int
    commits: int
    first: CommitId | None
    last: CommitId | None
    replacement: BlobId | None = None
    length: int = 0
    rows: int = 0


@frozen
class Sharing:
    """Another file that holds some of the same bytes, and keeps them: `bytes` of it, as packs have them."""

    path: str
    kind: str
    id: BlobId
    bytes: int


@frozen
class OtherTable:
    """Another table with rows that meet the condition, which stay: the newest version of it that has any."""

    path: str
    commit: CommitId
    rows: int


@frozen
class RemoteCopy:
    """Another repository that is known here; `holds` is None where it could not be asked. `command` ends it there."""

    name: str
    where: str
    holds: bool | None
    command: str


@frozen
class RedactResult(Result):
    """One redaction, made or (dry run) planned.

    `commits` held what goes, `affected` was made from it, `served` are the times a stage served either (`until` None:
    it still does), `alerts` those that fired then, `facts` how many of each type name it. `sharing` and `tables` are
    what keeps the same bytes or rows here, `left` files of the work tree that hold them, `remotes` other repositories.
    `unread` are versions of the table that could not be read, and are as they were. Of the packs, `replaced` were
    written anew; `bytes` went in all, with `trash` packs of the trash, `quarantine` things set aside, and the copies
    in `releases` on disk.
    """

    schema: ClassVar[str] = "mlver.redact/v1"
    dry_run: bool
    why: str
    by: str
    at: datetime
    blobs: tuple[RedactedBlob, ...]
    commits: tuple[CommitId, ...]
    affected: tuple[Affected, ...] = ()
    served: tuple[ServedCommit, ...] = ()
    alerts: tuple[str, ...] = ()
    facts: Mapping[str, int] = field(default_factory=dict)
    sharing: tuple[Sharing, ...] = ()
    tables: tuple[OtherTable, ...] = ()
    unread: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    remotes: tuple[RemoteCopy, ...] = ()
    releases: tuple[str, ...] = ()
    replaced: int = 0
    bytes: int = 0
    trash: int = 0
    quarantine: int = 0
    operation: OperationId | None = None

    @property
    def rows(self) -> int:
        """Rows removed, over all versions."""
        return sum(blob.rows for blob in self.blobs)


@frozen
class Redaction:
    """One tombstone: what was removed, by whom and why. `here` is true while bytes of it still lie in packs here."""

    blob: BlobId
    paths: tuple[str, ...]
    kind: str
    size: int
    by: str
    at: datetime
    why: str
    replacement: BlobId | None
    rows: int
    operation: OperationId | None
    here: bool


@frozen
class RedactionsResult(Result):
    """All redactions, oldest first. `unfinished`: one was cut short or came from elsewhere; bytes are still here."""

    schema: ClassVar[str] = "mlver.redactions/v1"
    redactions: tuple[Redaction, ...]
    unfinished: bool


@frozen
class FinishResult(Result):
    """What was still here of what was redacted: blobs, and the bytes by which the repository shrank."""

    schema: ClassVar[str] = "mlver.redact-finish/v1"
    blobs: int
    bytes: int
    operation: OperationId | None
