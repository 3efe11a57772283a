"""Chunk lists on their way in from a store that is not trusted.

A list is right only if its chunks, one after the other, are the blob it stands for. That is found out while
the chunks pass by, where they do so in order; where they do not, they are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from blake3 import blake3

from mlver.objects.ids import ID_BYTES, BlobId
from mlver.store.frames import LIST_ITEM_BYTES, parse_list

_Check = Callable[[BlobId, list[tuple[BlobId, int]]], None]


class Arrival:
    """Checks the chunk lists of one delivery; `lists` are their payloads, by the blobs they stand for."""

    def __init__(self, lists: Mapping[bytes, bytes]) -> None:
        self._open = dict(lists)
        self._starts = {payload[:ID_BYTES]: id for id, payload in lists.items()}
        self._passing: bytes | None = None  # the list whose chunks are passing by
        self._at = 0
        self._hash = blake3()

    def saw(self, id: bytes, data: bytes | bytearray | memoryview) -> None:
        """Take note of a blob that passes by; `data` is known to be what `id` says."""
        if self._passing is None or not self._is_next(id, len(data)):
            self._passing, self._at, self._hash = self._starts.get(id), 0, blake3()
            if self._passing is None or not self._is_next(id, len(data)):
                self._passing = None
                return
        self._hash.update(data)
        self._at += LIST_ITEM_BYTES
        if self._at == len(self._open[self._passing]):
            if self._hash.digest() == self._passing:
                self._starts.pop(self._open.pop(self._passing)[:ID_BYTES], None)
            self._passing = None

    def finish(self, check: _Check) -> None:
        """Hand each list that was not found right so far to `check`, which reads the blob and raises Damaged."""
        for id, payload in self._open.items():
            check(BlobId(id), parse_list(payload))

    def _is_next(self, id: bytes, length: int) -> bool:
        payload = self._open[self._passing] if self._passing is not None else b""
        return payload[self._at : self._at + LIST_ITEM_BYTES] == id + length.to_bytes(4, "little")
