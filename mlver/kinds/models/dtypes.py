"""Element types of arrays, from a pickle's own words, without numpy until values are wanted.

The states of dtypes in pickles are those of numpy's `descriptor.c`: version, byte order, subarray,
names, fields, item size, alignment, flags and, for dates, the unit.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mlver.frozen import frozen
from mlver.kinds.models.limits import MAX_NDIM
from mlver.kinds.models.values import Call, Pairs

if TYPE_CHECKING:
    import numpy as np

_CODE: Final = re.compile(r"([<>|=]?)([biufcSUVMmO])(\d{1,9})")
_SIZES: Final = {
    "b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8, 12, 16), "c": (8, 16, 24, 32), "M": (8,), "m": (8,),
    "O": (4, 8),
}  # fmt: skip
_MAX_SIZE: Final = 1 << 24  # bytes of one element
_WORDS: Final = {"i": "int", "u": "uint", "f": "float", "c": "complex", "S": "bytes", "U": "str", "V": "void"}
_UNIT: Final = re.compile(r"(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as|generic)")


@frozen
class DType:
    """The type of an array's elements; `order` is `<`, `>` or `|`, sizes are in bytes.

    `special` names the types numpy lacks (`bfloat16`, `float8_e4m3fn` ...); their `kind` is `x`.
    """

    kind: str
    size: int
    order: str = "<"
    unit: str = ""
    fields: tuple[tuple[str, DType, int], ...] = ()
    base: DType | None = None
    inner: tuple[int, ...] = ()
    special: str = ""
    depth: int = 0
    leaves: int = 1

    @property
    def name(self) -> str:
        """The name people know, without byte order: `float64`, `datetime64[ns]`, `{left: int64, ...}`."""
        if self.special:
            return self.special
        if self.fields:
            return "{" + ", ".join(f"{name}: {kind.name}" for name, kind, _ in self.fields) + "}"
        if self.base is not None:
            return f"{self.base.name}{list(self.inner)}"
        if self.kind in "Mm":
            return f"{'datetime64' if self.kind == 'M' else 'timedelta64'}[{self.unit}]"
        if self.kind in "bO":
            return "bool" if self.kind == "b" else "object"
        count = {"U": self.size // 4, "S": self.size, "V": self.size}.get(self.kind, self.size * 8)
        return f"{_WORDS[self.kind]}{count}"

    @property
    def has_objects(self) -> bool:
        """Whether an element holds Python objects somewhere."""
        return (
            self.kind == "O"
            or any(inner.has_objects for _, inner, _ in self.fields)
            or bool(self.base and self.base.has_objects)
        )

    @property
    def simple(self) -> bool:
        """Whether the stored bytes, in C order, are already the canonical ones: little-endian, no padding."""
        return not self.fields and self.base is None and (self.order != ">" or self.size == 1)

    def numpy(self) -> np.dtype[Any]:
        """Return numpy's dtype for it. Special types come back as unsigned integers or bytes of their size."""
        import numpy as np

        if self.special:
            return np.dtype(f"<u{self.size}" if self.size in (1, 2) else "u1")
        if self.fields:
            return np.dtype({
                "names": [name for name, _, _ in self.fields],
                "formats": [inner.numpy() for _, inner, _ in self.fields],
                "offsets": [offset for _, _, offset in self.fields],
                "itemsize": self.size,
            })  # fmt: skip
        if self.base is not None:
            return np.dtype((self.base.numpy(), self.inner))
        order = "" if self.order == "|" else self.order
        if self.kind in "Mm":
            unit = "" if self.unit == "generic" else f"[{self.unit}]"
            return np.dtype(f"{order}{self.kind}8{unit}")
        return np.dtype(f"{order}{self.kind}{self.size // 4 if self.kind == 'U' else self.size}")

    def packed(self) -> np.dtype[Any]:
        """Return the little-endian numpy dtype without the padding between fields."""
        import numpy as np

        if self.fields:
            return np.dtype([(name, inner.packed()) for name, inner, _ in self.fields])
        if self.base is not None:
            return np.dtype((self.base.packed(), self.inner))
        return self.numpy().newbyteorder("<")


def parse_code(code: Any) -> DType | None:
    """Return the dtype for a code such as `f8` or `<U5`; None for anything else."""
    if not isinstance(code, str) or not (found := _CODE.fullmatch({"?": "b1", "O": "O8"}.get(code, code))):
        return None
    order, kind, digits = found.groups()
    size = int(digits)
    if (kind in _SIZES and size not in _SIZES[kind]) or size > _MAX_SIZE:
        return None
    unit = "generic" if kind in "Mm" else ""
    return DType(kind, size * 4 if kind == "U" else size, order if order in ("<", ">", "|") and order else "<", unit)


def with_state(dtype: DType, state: Any) -> DType | None:
    """Return `dtype` with the state a pickle gives it; None when that is not one this module knows."""
    if not isinstance(state, tuple) or len(state) not in (8, 9) or state[0] not in (3, 4):
        return None
    _, order, subarray, names, fields, size = state[:6]
    if order not in ("<", ">", "|", "=") or isinstance(size, bool) or not isinstance(size, int):
        return None
    if not all(type(number) is int for number in state[6:8]):
        return None
    order = "<" if order == "=" else order
    if len(state) == 9 and dtype.kind in "Mm":
        unit = _unit(state[8])
        return replace(dtype, order=order, unit=unit) if unit and subarray is None and not names else None
    if len(state) == 9 and state[8] is not None:
        return None
    if isinstance(names, tuple) and isinstance(fields, Pairs) and subarray is None and size >= 0:
        parts = _fields(names, fields, size)
        return _compound(DType("V", size, "|", fields=parts)) if parts is not None else None
    if names is not None or fields is not None:
        return None
    if subarray is not None:
        return _subarray(subarray)
    if dtype.kind in "SUV" and size not in (-1, dtype.size):
        return None
    return replace(dtype, order=order)


def _fields(names: tuple[Any, ...], table: Pairs, size: int) -> tuple[tuple[str, DType, int], ...] | None:
    given = table.named()
    parts = []
    for name in names:
        entry = given.get(name) if isinstance(name, str) else None
        if not isinstance(entry, tuple) or len(entry) != 2:
            return None
        inner, offset = dtype_of(entry[0]), entry[1]
        if not name or inner is None or type(offset) is not int or offset < 0 or offset + inner.size > size:
            return None
        parts.append((name, inner, offset))
    return (
        tuple(parts) if len({name for name, _, _ in parts}) == len(parts) and len(parts) == len(table.pairs) else None
    )


def _subarray(given: Any) -> DType | None:
    base = dtype_of(given[0]) if isinstance(given, tuple) and len(given) == 2 else None
    shape = checked_shape(given[1]) if base is not None else None
    if base is None or shape is None:
        return None
    return _compound(DType("V", base.size * product(shape), "|", base=base, inner=shape))


def _compound(dtype: DType) -> DType | None:
    """Return `dtype` with its depth and number of leaves; None when a name of it would be without end."""
    inner = [part for _, part, _ in dtype.fields] + ([dtype.base] if dtype.base else [])
    depth = 1 + max((part.depth for part in inner), default=0)
    leaves = sum(part.leaves for part in inner)
    return (
        replace(dtype, depth=depth, leaves=leaves) if depth < 9 and leaves < 4097 and dtype.size <= _MAX_SIZE else None
    )


def _unit(meta: Any) -> str:
    if not isinstance(meta, tuple) or len(meta) != 2 or not isinstance(meta[1], tuple) or len(meta[1]) != 4:
        return ""
    word, count = meta[1][:2]
    text = word.decode("latin-1") if isinstance(word, bytes) else word
    if meta[0] not in (None,) and not (isinstance(meta[0], Pairs) and not meta[0].pairs):
        return ""
    if not isinstance(text, str) or not _UNIT.fullmatch(text) or not all(type(number) is int for number in meta[1][1:]):
        return ""
    if not 0 < count < 1 << 31:
        return ""
    return text if count == 1 else f"{count}{text}"


def dtype_of(thing: Any) -> DType | None:
    """Return the dtype that an object of the machine stands for, if it is one."""
    value = thing.value if isinstance(thing, Call) else None
    return value if isinstance(value, DType) else None


def checked_shape(given: Any) -> tuple[int, ...] | None:
    """Return `given` as a shape if it is one of reasonable size, else None."""
    shape = (given,) if type(given) is int else given
    if not isinstance(shape, (tuple, list)) or len(shape) > MAX_NDIM:
        return None
    return tuple(shape) if all(type(n) is int and 0 <= n < 1 << 60 for n in shape) else None


def product(shape: tuple[int, ...]) -> int:
    """Return the number of elements of a shape."""
    total = 1
    for count in shape:
        total *= count
    return total
