"""UBJSON, the binary JSON XGBoost writes, within limits: https://ubjson.org, with XGBoost's big-endian numbers.

Arrays of one number type become `ArrayData` without a copy per number, everything else plain Python.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType

_DEPTH: Final = 100
_VALUES: Final = 5_000_000
_NUMBERS: Final = {
    ord("i"): ("b", DType("i", 1)), ord("U"): ("B", DType("u", 1)), ord("I"): (">h", DType("i", 2, ">")),
    ord("l"): (">i", DType("i", 4, ">")), ord("L"): (">q", DType("i", 8, ">")),
    ord("d"): (">f", DType("f", 4, ">")), ord("D"): (">d", DType("f", 8, ">")),
}  # fmt: skip
_WORDS: Final = {ord("Z"): None, ord("T"): True, ord("F"): False}
_WHOLE: Final = frozenset(b"iUIlL")
_OBJECT, _ARRAY, _END_OBJECT, _END_ARRAY, _TYPE, _COUNT, _NOTHING = (ord(c) for c in "{[}]$#N")


def parse_ubjson(data: bytes) -> Any:
    """Return the one value `data` holds; Unreadable when it is broken, too deep, or followed by more."""
    parser = _Parser(data)
    try:
        value = parser.value(parser.marker(), 0)
    except (struct.error, IndexError) as error:
        raise Unreadable("ends early: the UBJSON is truncated") from error
    except UnicodeDecodeError as error:
        raise Unreadable("UBJSON with text that is not UTF-8") from error
    if parser.at != len(data):
        raise Unreadable("bytes after the end of the UBJSON")
    return value


class _Parser:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.left = _VALUES

    def marker(self) -> int:
        """Return the next marker, past no-ops."""
        while True:
            code = self.data[self.at]
            self.at += 1
            if code != _NOTHING:
                return code

    def value(self, code: int, depth: int) -> Any:
        self._spend(1)
        if code in _NUMBERS:
            form = _NUMBERS[code][0]
            (number,) = struct.unpack_from(form, self.data, self.at)
            self.at += struct.calcsize(form)
            return number
        if code in _WORDS:
            return _WORDS[code]
        if code == ord("S"):
            return self._text()
        if code == ord("C"):
            return self._take(1).decode()
        if code == ord("H"):
            raise Unreadable("UBJSON with a number beyond 64 bits")
        if code not in (_OBJECT, _ARRAY):
            raise Unreadable(f"not UBJSON: byte {code:#04x} begins no value")
        if depth >= _DEPTH:
            raise Unreadable(f"UBJSON nested more than {_DEPTH} levels deep")
        return self._object(depth + 1) if code == _OBJECT else self._array(depth + 1)

    def _header(self) -> tuple[int | None, int | None]:
        """Return the type all members have and their number, as far as they are given."""
        kind = count = None
        if self.data[self.at] == _TYPE:
            kind = self.data[self.at + 1]
            self.at += 2
            if self.data[self.at] != _COUNT:
                raise Unreadable("UBJSON that gives a type without a count")
        if self.data[self.at] == _COUNT:
            self.at += 1
            count = self._length()
        return kind, count

    def _array(self, depth: int) -> Any:
        kind, count = self._header()
        if kind in _NUMBERS and count is not None:
            dtype = _NUMBERS[kind][1]
            return ArrayData(dtype, (count,), self._take(count * dtype.size))
        members: list[Any] = []
        self._expect(kind, count)
        while count is None or len(members) < count:
            code = self.marker() if kind is None else kind
            if count is None and code == _END_ARRAY:
                break
            members.append(self.value(code, depth))
        return members

    def _object(self, depth: int) -> dict[str, Any]:
        kind, count = self._header()
        members: dict[str, Any] = {}
        self._expect(kind, count)
        while count is None or len(members) < count:
            while self.data[self.at] == _NOTHING:
                self.at += 1
            if count is None and self.data[self.at] == _END_OBJECT:
                self.at += 1
                break
            key = self._text()
            if key in members:
                raise Unreadable(f"UBJSON that gives the key {key[:60]!r} twice")
            members[key] = self.value(self.marker() if kind is None else kind, depth)
        return members

    def _text(self) -> str:
        return self._take(self._length()).decode()

    def _length(self) -> int:
        code = self.data[self.at]
        if code not in _WHOLE:
            raise Unreadable(f"not UBJSON: byte {code:#04x} begins no length")
        self.at += 1
        length = self.value(code, 0)
        if not isinstance(length, int) or length < 0:
            raise Unreadable("UBJSON with a negative length")
        return length

    def _take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise Unreadable("ends early: the UBJSON is truncated")
        self.at += size
        return self.data[self.at - size : self.at]

    def _expect(self, kind: int | None, count: int | None) -> None:
        # members of some types take no byte each, so a short file could announce a great many
        if kind == _NOTHING or (count is not None and count > self.left):
            raise Unreadable("UBJSON that announces too many values")

    def _spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Unreadable(f"UBJSON of more than {_VALUES:,} values")
