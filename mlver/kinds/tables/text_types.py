"""Which type a column of text is, said of all of its cells: what one block shows is joined with what others do.

Arrow tries types in a fixed order and takes the first that every cell converts to; a column of numbers is text after
all where a number would lose digits of some cell, and one of doubles that are all whole is int64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.tables.arrays import fixed, no_value
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.mixing import BLOCK

LADDER: Final = (
    pa.null(), pa.int64(), pa.bool_(), pa.date32(), pa.time32("s"), pa.timestamp("s"), pa.timestamp("ns"),
    pa.timestamp("s", "UTC"), pa.timestamp("ns", "UTC"), pa.float64(), pa.string(), pa.binary(),
)  # fmt: skip
"""The types in the order Arrow tries them (cpp/src/arrow/csv/inference_internal.h)."""

_INTEGER: Final = LADDER.index(pa.int64())
_REAL: Final = LADDER.index(pa.float64())
TEXT: Final = LADDER.index(pa.string())
EXACT: Final = 2.0**53  # from here on neighbouring integers share a double
_STEP: Final = 1 << 20  # bytes searched at a time
_PADDED: Final = r"^\s*-?0\d+\s*$"
_DIGITS: Final = r"^\s*-?\d+\s*$"
_BEFORE: Final = b" \t-"  # what may stand before the digits of a number

Texts = Callable[[Iterable[str]], Any]  # the table of some columns, every cell as it is spelled


@frozen
class Seen:
    """What is known of a column: the first type of LADDER that all cells convert to, and how numbers are spelled.

    `padded`: an integer begins with a 0 and has more digits. `broad`: one is from 2**53 on. `fraction`: some number is
    not whole, or is from there on.
    """

    step: int = 0
    padded: bool = False
    broad: bool = False
    fraction: bool = False

    def joined(self, other: Seen) -> Seen:
        """Return what is known of the cells of both."""
        return Seen(
            max(self.step, other.step),
            self.padded or other.padded,
            self.broad or other.broad,
            self.fraction or other.fraction,
        )

    @property
    def type(self) -> Any:
        """The type of the column."""
        if (self.step == _INTEGER and self.padded) or (self.step == _REAL and self.broad):
            return pa.string()
        if self.step == _REAL and not self.fraction:
            return pa.int64()
        return LADDER[self.step]


def seen_in(table: Any, raw: memoryview, delimiter: str, texts: Texts) -> dict[str, Seen]:
    """Return what a table shows that Arrow made of `raw`; `texts` is asked where spelling matters."""
    found = {field.name: _seen(table.column(field.name), field.type) for field in table.schema}
    whole = [name for name, seen in found.items() if seen.step == _INTEGER]
    padded = whole if whole and _zero_leads(raw, delimiter) else []
    broad = [name for name, seen in found.items() if seen.step == _REAL and seen.broad]
    if not padded and not broad:
        return found
    spelled = texts([*padded, *broad])
    for name in padded:
        matches = pc.match_substring_regex(spelled.column(name), _PADDED)
        found[name] = found[name].joined(Seen(padded=bool(pc.any(matches).as_py())))
    for name in broad:
        large = pc.greater_equal(pc.abs(table.column(name)), EXACT)
        matches = pc.and_(large, pc.match_substring_regex(spelled.column(name), _DIGITS))
        found[name] = Seen(_REAL, broad=bool(pc.any(matches).as_py()), fraction=found[name].fraction)
    return found


def _seen(column: Any, kind: Any) -> Seen:
    step = LADDER.index(kind)
    if step == _INTEGER:
        ends = pc.min_max(column)
        low, high = ends["min"].as_py() or 0, ends["max"].as_py() or 0
        return Seen(step, broad=max(-low, high) >= EXACT)
    if step != _REAL:
        return Seen(step)
    parts = [fixed(chunk, np.float64, 0.0) for chunk in column.chunks]
    large = any(bool((np.isfinite(part) & (np.abs(part) >= EXACT)).any()) for part in parts)
    return Seen(step, broad=large, fraction=not is_whole(column))


def typed(table: Any, kinds: Mapping[str, Any], texts: Texts) -> Any:
    """Return a table of the types of LADDER under the types its columns have; an empty text is no value."""
    numbers = [field.name for field in table.schema if LADDER.index(field.type) in (_INTEGER, _REAL)]
    spelled = [name for name in numbers if pa.types.is_string(kinds[name])]
    as_texts: Any = texts(spelled) if spelled else None
    for number, field in enumerate(table.schema):
        column = as_texts.column(field.name) if field.name in spelled else table.column(number)
        if pa.types.is_string(kinds[field.name]):
            column = pc.if_else(pc.binary_length(column).cast(pa.bool_()), column, no_value(pa.string()))
        elif field.type == kinds[field.name]:
            continue
        table = table.set_column(number, field.name, column.cast(kinds[field.name]))
    return table


def is_whole(column: Any) -> bool:
    """Whether a float column holds nothing but whole numbers that int64 holds exactly (and nulls)."""
    for chunk in column.chunks:
        for begin in range(0, len(chunk), BLOCK):
            part = fixed(chunk.slice(begin, BLOCK), np.float64, 0.0)
            if not ((np.trunc(part) == part) & (np.abs(part) < EXACT)).all():
                return False
    return True


def _zero_leads(raw: memoryview, delimiter: str) -> bool:
    """Whether some cell starts with 0 and another digit. A regular expression takes 20 times as long."""
    data = np.frombuffer(raw, dtype=np.uint8)
    starts, before = np.zeros(256, dtype=bool), np.zeros(256, dtype=bool)
    starts[list(b'\n\r"' + delimiter.encode("latin-1", "replace"))] = True
    before[list(_BEFORE)] = True
    for begin in range(0, max(len(data) - 1, 1), _STEP):
        part = data[max(begin - 2, 0) : begin + _STEP + 1]
        digits = part[1:] - np.uint8(ord("0")) < 10
        zeros = np.flatnonzero(np.logical_and(part[:-1] == ord("0"), digits, out=digits))
        one, two = part[np.maximum(zeros - 1, 0)], part[np.maximum(zeros - 2, 0)]
        first = (zeros == 0) & (begin == 0)  # of all: a block may begin with it
        if (first | starts[one] | (before[one] & (starts[two] | before[two]))).any():
            return True
    return False
