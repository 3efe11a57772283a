"""What kinds that can be written share: bytes in memory as a source, and the proof that an edit did as it should."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import BinaryIO

from mlver.frozen import frozen
from mlver.kinds.base import MISSING, CannotEdit, Kind, Source, Spec, Unreadable, Value, same


@frozen
class Held:
    """The bytes of a file, in memory."""

    path: str
    data: bytes

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.data)

    def open(self) -> BinaryIO:
        """Return a fresh reader."""
        return io.BytesIO(self.data)


def confirmed(kind: Kind, source: Source, spec: Spec, changes: Mapping[str, Value], data: bytes) -> bytes:
    """Return `data` if its units are those of `source` with `changes` made, and nothing else; else CannotEdit."""
    before = kind.units(source, spec)
    try:
        after = kind.units(Held(source.path, data), spec)
    except Unreadable as reason:
        raise CannotEdit(f"the result could not be read: {reason}") from None
    for key, value in changes.items():
        if not _as(after.get(key), value):
            raise CannotEdit(f"{key} cannot be written there")
    delta = before.delta(after)
    for key in (*delta.added, *delta.removed, *delta.changed):
        if key not in changes:
            raise CannotEdit(f"{key} would change with it")
    return data


def _as(found: Value, wanted: Value) -> bool:
    return found is wanted if found is MISSING or wanted is MISSING else same(found, wanted)
