"""What the symbolic machine makes of a pickle: names, calls and containers that do nothing.

Keys of maps and members of sets are never hashed or compared: a file could nest them so deep that
hashing alone would exhaust the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mlver.frozen import frozen
from mlver.kinds.base import Source, Unreadable
from mlver.kinds.models.limits import CHUNK, MAX_MEMORY


@frozen
class Symbol:
    """The dotted name of something a pickle refers to; nothing is looked up."""

    path: str


@dataclass(eq=False, slots=True)
class Call:
    """An object as a pickle describes it: what would be called, with what, and the state given to it after.

    `value` is set once the object was recognised as data (a dtype, an array).
    """

    callee: Any
    args: tuple[Any, ...] = ()
    kwargs: Pairs | None = None
    states: list[Any] = field(default_factory=list)
    items: list[tuple[Any, Any]] = field(default_factory=list)
    elements: list[Any] = field(default_factory=list)
    value: Any = None
    settled: bool = False  # a dtype that got its one state

    @property
    def name(self) -> str:
        """The dotted name of what is called; `?` when that is itself the result of a call."""
        return self.callee.path if isinstance(self.callee, Symbol) else "?"

    @property
    def touched(self) -> bool:
        """Whether anything was added to the object since it was made."""
        return bool(self.states or self.items or self.elements)


@dataclass(eq=False, slots=True)
class Pairs:
    """A dict, as the list of its pairs."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)

    def named(self) -> dict[str, Any]:
        """Return the pairs whose key is a string, the last of equal keys winning as in a real dict."""
        return {key: value for key, value in self.pairs if isinstance(key, str)}


@dataclass(eq=False, slots=True)
class Group:
    """A set or frozenset, as the list of its members."""

    members: list[Any] = field(default_factory=list)


@frozen
class Tagged:
    """A scalar that JSON has no form for, shown as `{tag: text}` (a date, a decimal, a complex number)."""

    tag: str
    text: str


@frozen
class Span:
    """Bytes that stay in their file until they are asked for."""

    source: Source
    offset: int
    size: int

    def __len__(self) -> int:
        return self.size

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in pieces of at most 1 MiB; Unreadable when the file has become shorter."""
        with self.source.open() as stream:
            stream.seek(self.offset)
            left = self.size
            while left:
                piece = stream.read(min(CHUNK, left))
                if not piece:
                    raise Unreadable("became shorter while it was read")
                left -= len(piece)
                yield piece

    def bytes(self) -> bytes:
        """Return all of the bytes; Unreadable when they are too many to hold."""
        if self.size > MAX_MEMORY:
            raise Unreadable(f"an array larger than {MAX_MEMORY >> 30} GiB")
        return b"".join(self.chunks())


Payload = bytes | bytearray | Span


def chunks_of(data: Payload) -> Iterator[bytes]:
    """Yield the bytes of `data` in pieces."""
    if isinstance(data, Span):
        yield from data.chunks()
    else:
        yield bytes(data)


def bytes_of(data: Payload) -> bytes:
    """Return the bytes of `data` in memory."""
    return data.bytes() if isinstance(data, Span) else bytes(data)
