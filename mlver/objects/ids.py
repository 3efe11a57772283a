"""Ids: a distinct type per kind of object, each the BLAKE3-256 of the object's bytes.

A blob's id is plain BLAKE3, so `b3sum FILE` prints it. Every other type is hashed under its
own derive-key context, so that bytes of one type can never pass for another.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import ClassVar, Self, TypeVar

from blake3 import blake3

from mlver.errors import UsageError

_Id = TypeVar("_Id", bound=Hashable)
ID_BYTES = 32
SHORT_LENGTH = 10


class ObjectId(bytes):
    """A 32-byte id. `str()` is its 64 hex digits; two ids are equal when their bytes are."""

    type_name: ClassVar[str] = ""
    context: ClassVar[str | None] = None

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != ID_BYTES:
            raise UsageError(f"an id has {ID_BYTES} bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id written as 64 lower-case hex digits; UsageError otherwise."""
        if len(text) != 2 * ID_BYTES or text != text.lower():
            raise UsageError(f"not a full {cls.type_name} id: {text[:80]!r}")
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            raise UsageError(f"not a full {cls.type_name} id: {text[:80]!r}") from None

    @classmethod
    def of(cls, data: bytes | memoryview) -> Self:
        """Return the id of `data` as an object of this type."""
        return cls(blake3(data, derive_key_context=cls.context).digest() if cls.context else blake3(data).digest())

    @property
    def short(self) -> str:
        """The first ten hex digits, for people."""
        return self.hex()[:SHORT_LENGTH]

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hex()[:12]})"


class BlobId(ObjectId):
    """The bytes of one file, or of one chunk of a file."""

    type_name = "blob"


class TreeId(ObjectId):
    """One folder."""

    type_name = "tree"
    context = "mlver 1 tree"


class CommitId(ObjectId):
    """A snapshot of all artifacts together."""

    type_name = "commit"
    context = "mlver 1 commit"


class EnvironmentId(ObjectId):
    """Interpreter, platform and packages."""

    type_name = "environment"
    context = "mlver 1 environment"


class DerivationId(ObjectId):
    """How artifacts were made."""

    type_name = "derivation"
    context = "mlver 1 derivation"


class FactId(ObjectId):
    """Something learned about a commit, a stage or an artifact after it was made."""

    type_name = "fact"
    context = "mlver 1 fact"


class FactBatchId(ObjectId):
    """One link of the fact log."""

    type_name = "facts"
    context = "mlver 1 facts"


class OperationId(ObjectId):
    """One change of the repository's state."""

    type_name = "operation"
    context = "mlver 1 operation"


ID_TYPES: dict[str, type[ObjectId]] = {
    t.type_name: t for t in (BlobId, TreeId, CommitId, EnvironmentId, DerivationId, FactId, FactBatchId, OperationId)
}


def parents_first(starts: Iterable[_Id], above: Callable[[_Id], Iterable[_Id] | None]) -> Iterator[_Id]:
    """Yield what `starts` lead to, each once and behind its parents; of several parents the last one's side first.

    `above` is asked once for the parents of each; what it returns None for is passed over, with what lies above it.
    """
    seen: set[_Id] = set()
    for start in starts:
        pending = [(start, False)]
        while pending:
            id, parents_done = pending.pop()
            if parents_done:
                yield id
            elif id not in seen:
                seen.add(id)
                if (parents := above(id)) is not None:
                    pending.append((id, True))
                    pending += ((parent, False) for parent in parents)
