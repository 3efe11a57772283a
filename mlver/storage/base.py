"""The storage contract. A storage knows keys and bytes, nothing of objects.

Keys are relative paths of ASCII letters, digits and `._-`, with `/` between parts, and never
start with a dot-dot. A value is whole or absent, never half there. All methods raise LocalIO
or RemoteError for trouble of the medium, and KeyError for a key that is not there.
`mlver.testing.StorageContract` is the executable form of this page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self


class Writer(Protocol):
    """A value being written. It becomes visible, durably and at once, in `commit`, or never."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""

    def tell(self) -> int:
        """How many bytes were written so far."""

    def commit(self, key: str) -> None:
        """Make the value durable under `key`. A key that exists already keeps its value."""

    def abort(self) -> None:
        """Forget the value. Harmless after commit."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abort unless committed."""


class Storage(Protocol):
    """Bytes under keys."""

    name: str

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the value or a range of it; KeyError when absent. Reading past the end gives fewer bytes."""

    def read_into(self, key: str, start: int, parts: Sequence[memoryview]) -> int:
        """Fill `parts`, one behind the other, with what begins at `start`; return how many bytes there were."""

    def size(self, key: str) -> int:
        """Return the value's length in bytes; KeyError when absent."""

    def exists(self, key: str) -> bool:
        """Whether the key has a value."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield every key under the folder `prefix`, sorted; temporary values are never among them."""

    def writer(self, folder: str) -> Writer:
        """Begin a value that will be committed somewhere under `folder`."""

    def create(self, key: str, data: bytes) -> bool:
        """Store `data` durably under a new key. False, and nothing written, when the key exists."""

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        """Replace the value durably and atomically if it is still `expected` (None: absent).

        False, and nothing written, when it is not. OutcomeUnknown when it cannot be told.
        """

    def confirm(self, folder: str) -> None:
        """Make durable that the values standing in a folder stand there, whoever stored them and died before that."""

    def move(self, key: str, to: str) -> None:
        """Move a value to another key, durably (trash, quarantine). KeyError when absent."""

    def delete(self, key: str) -> None:
        """Remove a value. KeyError when absent."""
