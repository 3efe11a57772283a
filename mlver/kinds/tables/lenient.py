"""Text against typed values: a CSV column that turned to text because of one bad cell.

`17` in a column of numbers and `17` in a column that also holds `n/a` are the same cell. When two
versions give a column as text and as something else, the text is read the way the other side was.
Likewise 0.1 in 32 bits is 0.1 in 64 bits: doubles are rounded before they meet short floats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.kinds.tables.arrays import bits, fixed, missing, no_value, texts
from mlver.kinds.tables.digest import cell_digests, column_digests
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.mixing import Lanes, Mask
from mlver.kinds.tables.values import decoded, family, logical

MISSING_WORDS: Final = ("", "NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "<NA>")

_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"[ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?"
# Per family of the typed side: the texts to read, and the type to read them as, in this order.
_READERS: Final[dict[str, tuple[tuple[str, Any], ...]]] = {
    "number": (
        (r"^-?\d{1,18}$", pa.int64()),
        (r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$|^-?(inf|Inf|INF|nan|NaN|NAN)$", pa.float64()),
    ),
    "bool": ((r"^(true|false|True|False|TRUE|FALSE)$", pa.bool_()),),
    "time": ((f"^{_DATE}({_CLOCK})?$", pa.timestamp("ns")),),
    "instant": ((f"^{_DATE}{_CLOCK}(Z|[+-]\\d\\d:?\\d\\d)$", pa.timestamp("ns", "UTC")),),
}


def readable_as(old: Any, new: Any) -> str | None:
    """Return the family in which the text side should be read, None when the types compare as they are."""
    short = [pa.types.is_float32(kind) or pa.types.is_float16(kind) for kind in (logical(old), logical(new))]
    if short[0] != short[1] and all(pa.types.is_floating(logical(kind)) for kind in (old, new)):
        return "short float"
    families = family(old), family(new)
    if families[0] == families[1] or "text" not in families:
        return None
    other = families[0] if families[1] == "text" else families[1]
    return other if other in _READERS else None


def shared(old: Any, new: Any) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the columns that two schemas have in common, and of those that need it as what texts are read."""
    known = set(new.names)
    common = tuple(name for name in old.names if name in known)
    kinds = {name: readable_as(old.field(name).type, new.field(name).type) for name in common}
    return common, {name: kind for name, kind in kinds.items() if kind}


def digests_as(table: Any, names: Iterable[str], readings: Mapping[str, str]) -> Lanes:
    """Return the digest of some cells of each row, with texts read as `readings` says."""
    total = np.zeros((2, table.num_rows), dtype=np.uint64)
    for name in names:
        column, reading = table.column(name), readings.get(name)
        total += lenient_digests(column, name, reading) if reading else column_digests(column, name)
    return total


def cells_differ(old: Any, new: Any, name: str, reading: str | None) -> Mask:
    """Return where two columns of the same length hold other values; `reading` says as what texts are read."""
    lanes = [lenient_digests(side, name, reading) if reading else column_digests(side, name) for side in (old, new)]
    differs: Mask = np.any(lanes[0] != lanes[1], axis=0)
    return differs


def lenient_digests(column: Any, name: str, other: str) -> Lanes:
    """Return the digests of a column's cells, with texts that say a value of family `other` as that value."""
    if other == "short float":
        column = column.cast(pa.float32(), safe=False)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if family(column.type) != "text":
        return np.concatenate([np.empty((2, 0), np.uint64), *(cell_digests(c, name) for c in chunks)], axis=1)
    distinct = pa.chunked_array([decoded(chunk) for chunk in chunks], logical(column.type)).dictionary_encode()
    distinct = distinct.unify_dictionaries().combine_chunks()
    distinct = distinct if isinstance(distinct, pa.Array) else distinct.chunk(0)
    words = distinct.dictionary
    lanes = cell_digests(words, name)
    for pattern, kind in reversed(_READERS[other]):
        chosen = pc.match_substring_regex(words, pattern)
        try:
            values = pc.if_else(chosen, words, no_value(words.type)).cast(kind)
        except pa.ArrowInvalid:  # such as a 31st of June, or a year that 64 bits of nanoseconds don't reach
            continue
        where = ~missing(values)
        lanes[:, where] = cell_digests(values, name)[:, where]
    absent = bits(pc.is_in(words, texts(MISSING_WORDS).cast(words.type)))
    nothing = cell_digests(pa.nulls(1), name)
    lanes[:, absent] = nothing
    with_null = np.concatenate([lanes, nothing], axis=1)
    codes = fixed(distinct.indices.cast(pa.int64()), np.int64, with_null.shape[1] - 1)
    taken: Lanes = np.take(with_null, codes, axis=1)
    return taken
