"""Attributes of ONNX nodes (`AttributeProto` in `onnx/onnx.proto`): one value, or a list, of each kind there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType
from mlver.kinds.models.limits import SMALL_LIST
from mlver.kinds.models.onnx_tensor import Tensor, read_tensor
from mlver.kinds.models.protobuf import BYTES, FIXED32, Field, Messages, float32, signed
from mlver.kinds.models.varints import float_run, integer_run

if TYPE_CHECKING:
    import numpy as np

_IN_MEMORY: Final = 64 << 20
_FLOAT_KEY, _INTEGER_KEY = 7 << 3 | FIXED32, 8 << 3


@dataclass
class Attribute:
    """One attribute. `lists` are the pieces of a list of numbers, `one` is a single value."""

    name: str = ""
    one: list[Any] = field(default_factory=list)
    lists: list[np.ndarray[Any, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    graphs: list[Field] = field(default_factory=list)
    others: list[Field] = field(default_factory=list)
    many: bool = False

    @property
    def given(self) -> bool:
        """Whether there is a value besides tensors and graphs."""
        return bool(self.one or self.lists or self.texts) or (self.many and not (self.tensors or self.graphs))

    def value(self) -> Any:
        """Return the one value, or the list; a long list of numbers as an array."""
        import numpy as np

        if self.lists and not self.one and not self.texts and len({piece.dtype for piece in self.lists}) == 1:
            numbers = np.concatenate(self.lists)
            if len(numbers) > SMALL_LIST:
                kind = DType("f", 4) if numbers.dtype.kind == "f" else DType("i", 8)
                return ArrayData(kind, (len(numbers),), numbers.tobytes())
        values = [*self.one, *(number for piece in self.lists for number in piece.tolist()), *self.texts]
        return values if self.many or len(values) != 1 else values[0]


def read_attribute(messages: Messages, given: Field) -> Attribute:
    """Return an attribute; Unreadable when it is broken."""
    found = Attribute()
    for part in _parts(messages, given, found):
        if part.number == 1:
            found.name = messages.text(part)
        elif part.number == 2:
            found.one.append(float32(part))
        elif part.number == 3:
            found.one.append(signed(part.value))
        elif part.number == 4:
            found.one.append(messages.text(part))
        elif part.number in (5, 10):
            found.tensors.append(read_tensor(messages, part))
        elif part.number in (6, 11):
            found.graphs.append(part)
        elif part.number in (7, 8):
            found.many = True
            found.lists.append(_numbers(messages, part))
        elif part.number == 9:
            found.many = True
            found.texts.append(messages.text(part))
        elif part.number == 20:
            found.many = found.many or part.value in (6, 7, 8)  # lists, which may be empty
        elif part.number == 21:
            found.one.append({"attribute": messages.text(part)})
        elif part.number != 13:  # its description
            found.others.append(part)
    return found


def _parts(messages: Messages, given: Field, found: Attribute) -> Iterator[Field]:
    """Yield the fields of an attribute; long runs of numbers go to `found` at once."""
    if given.wire != BYTES or given.size > _IN_MEMORY:
        yield from messages.message(given)
        return
    raw, at = messages.bytes(given), 0
    while at < len(raw):
        run: list[np.ndarray[Any, Any]] = []
        if raw[at] == _FLOAT_KEY:
            run, at = float_run(raw, at, _FLOAT_KEY)
        elif raw[at] == _INTEGER_KEY:
            run, at = integer_run(raw, at, _INTEGER_KEY)
        if run:
            found.many = True
            found.lists += run
            continue
        part = next(messages.fields(given.start + at, given.size - at))
        at = part.end - given.start
        yield part


def _numbers(messages: Messages, part: Field) -> np.ndarray[Any, Any]:
    import numpy as np

    if part.number == 8:
        return messages.integers(part, _IN_MEMORY)
    if part.wire == FIXED32:
        return np.array([float32(part)], "<f4")
    raw = messages.bytes(part)
    if len(raw) % 4:
        raise Unreadable("an ONNX list of numbers that is cut short")
    return np.frombuffer(raw, "<f4")
