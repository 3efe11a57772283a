"""A tombstone: what is left of a blob whose bytes were removed on purpose."""

from __future__ import annotations

from datetime import datetime

from mlver.frozen import frozen
from mlver.objects.ids import BlobId


@frozen
class Tombstone:
    """Who removed a blob, when and why; `paths` and `kind` are what it was, `size` its length in bytes.

    `replacement` is read in its place, of `length` bytes: the same table without the `rows` that went. None: nothing
    is left to read.
    """

    blob: BlobId
    paths: tuple[str, ...]
    kind: str
    size: int
    by: str
    at: datetime
    why: str
    replacement: BlobId | None = None
    length: int = 0
    rows: int = 0

    @property
    def words(self) -> str:
        """What happened, in a line: `2 rows redacted by ana on 2024-05-02: erasure request 17`."""
        what = f"{self.rows} row{'s' * (self.rows != 1)} redacted" if self.replacement is not None else "redacted"
        return f"{what} by {self.by} on {self.at:%Y-%m-%d}: {self.why}"
