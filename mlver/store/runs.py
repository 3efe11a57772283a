"""Chunks of a blob that lie behind each other in a pack: found, read at once, and taken out of their frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from mlver.errors import Damaged, LocalIO
from mlver.objects.ids import BlobId
from mlver.storage.base import Storage
from mlver.store.frames import FRAME_BYTES, Bytes
from mlver.store.pack import Location, Row, open_frame, pack_key, peel_frame

Chunks = Sequence[tuple[BlobId, int]]
Find = Callable[[bytes], list[Location]]
Load = Callable[[BlobId], bytes]
_T = TypeVar("_T")
Run = list[tuple[BlobId, int, Location | None]]
RUN_BYTES = 8 << 20  # of neighbouring chunks that are read at once


def runs_of(chunks: Chunks, find: Find) -> Iterator[Run]:
    """Group chunks whose frames follow each other in one pack, until there are RUN_BYTES of them."""
    run: Run = []
    end: tuple[str, int] | None = None
    size = 0
    for id, length in chunks:
        places = find(id)
        place = next((p for p in places if (p.pack, p.row.offset) == end), places[0] if places else None)
        follows = place is not None and (place.pack, place.row.offset) == end
        if run and not (follows and size < RUN_BYTES):
            yield run
            run, size = [], 0
        run.append((id, length, place))
        size += length
        end = (place.pack, place.row.end) if place else None
    if run:
        yield run


def read_run(run: Run, storage: Storage) -> memoryview:
    """Return the bytes of a run, frames and all; none when they are not to be had there."""
    first, last = run[0][2], run[-1][2]
    if first is not None and last is not None:
        with suppress(KeyError, LocalIO):  # another copy may be to be had
            start = first.row.offset
            return memoryview(storage.read(pack_key(first.pack), start, last.row.end - start))
    return memoryview(b"")


def verified_pieces(run: Run, data: memoryview, load: Callable[[BlobId], _T]) -> Iterator[Bytes | _T]:
    """Yield the chunks of a run that was read, each verified against its id, or what `load` returns for it."""
    return _pieces(run, data, load, open_frame)


def whole_pieces(run: Run, data: memoryview, load: Load) -> Iterator[Bytes]:
    """Yield the chunks of a run that was read, each checked by its checksum and as long as its list says; Damaged."""
    for (id, length, _), piece in zip(run, _pieces(run, data, load, peel_frame), strict=True):
        yield of_length(id, length, piece)


def of_length(id: BlobId, length: int, piece: Bytes) -> Bytes:
    """Return a chunk; Damaged unless it is as long as its list says."""
    if len(piece) != length:
        raise Damaged(f"chunk {id} is not as long as its list says", hint="mlver fsck")
    return piece


def _pieces(
    run: Run, data: memoryview, load: Callable[[BlobId], _T], unwrap: Callable[[memoryview, Row], Bytes]
) -> Iterator[Bytes | _T]:
    """Yield the chunks of a run, taken out of their frames in `data` by `unwrap`, else by `load`."""
    start = run[0][2].row.offset if run[0][2] is not None else 0
    for id, _, place in run:
        piece: Bytes | None = None
        if place is not None:
            at = place.row.offset - start
            with suppress(Damaged):  # another copy may be sound
                piece = unwrap(data[at : at + FRAME_BYTES + place.row.stored], place.row)
        yield load(id) if piece is None else piece
