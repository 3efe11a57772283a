"""How deeply values nest, found without recursion: libraries overflow the stack on what nests without end."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from mlver.kinds.base import Unreadable

DEEPEST: Final = 100  # levels; Parquet and Arrow IPC draw the line there as well
_PIECE: Final = 1 << 26  # bytes looked at in one go
_OTHERS: Final = bytes(set(range(256)) - set(b'"[]{}'))


def refuse_deep_type(kind: Any, name: str) -> None:
    """Unreadable when the Arrow type of the column `name` has more than DEEPEST levels."""
    level, depth = [kind], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise Unreadable(f"column {name} is nested more than {DEEPEST} deep")
        level = [inner.field(number).type for inner in level for number in range(inner.num_fields)]


def refuse_deep_json(raw: memoryview) -> None:
    """Unreadable when the JSON text in `raw` opens more than DEEPEST brackets inside one another."""
    start, depth = 0, 0
    while start < len(raw):
        piece = bytes(raw[start : start + _PIECE])
        if start + len(piece) < len(raw):  # no text holds a raw line break, so a piece ends at one
            end = piece.rfind(b"\n") + 1
            piece = piece[:end] if end else bytes(raw[start:])
        steps = _steps(piece)
        if len(steps):
            depths = depth + np.cumsum(steps, dtype=np.int64)
            if int(depths.max()) > DEEPEST:
                raise Unreadable(f"JSON nested more than {DEEPEST} deep")
            depth = max(int(depths[-1]), 0)
        start += len(piece)


def _steps(piece: bytes) -> Any:
    """Return +1 for each bracket that opens outside of a text and -1 for each that closes, in order."""
    if b"\\" in piece:
        piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = piece.translate(None, _OTHERS).replace(b'""', b"")  # a text without brackets leaves nothing
    if b'"' in marks:
        marks = b"".join(marks.split(b'"')[::2])
    opened = np.frombuffer(marks, np.uint8)
    return np.where((opened == ord("[")) | (opened == ord("{")), 1, -1).astype(np.int8)
