import io

from hypothesis import given
from hypothesis import strategies as st

from mlver.objects.ids import BlobId
from mlver.store.chunking import MIN_CHUNK, Cutter, fill
from mlver.store.frames import MAX_CHUNK
from tests.store.kit import noise

# Lengths of the chunks of the first 2 MiB of BLAKE3's output for eight zero bytes.
VECTOR = [
    54477, 158482, 96087, 88567, 123793, 54315, 22646, 140656, 101869, 19157, 137223, 24968, 58353, 66951,
    112082, 59679, 84368, 114834, 67337, 64842, 49184, 26536, 76808, 73699, 99740, 90641, 29858,
]  # fmt: skip
DATA = noise(2 << 20)


def lengths(data: bytes) -> list[int]:
    return [end - start for start, end in Cutter().cut(memoryview(data), True)]


def chunks(data: bytes) -> list[bytes]:
    return [data[start:end] for start, end in Cutter().cut(memoryview(data), True)]


def in_pieces(data: bytes, buffer: int) -> list[int]:
    """Cut through a buffer of this size, carrying on what is not complete."""
    cutter, stream, carry, found = Cutter(), io.BytesIO(data), b"", []
    while True:
        room = bytearray(buffer)
        room[: len(carry)] = carry
        filled = len(carry) + fill(stream, memoryview(room)[len(carry) :])
        last = filled < buffer
        cuts = cutter.cut(memoryview(room)[:filled], last)
        found += [end - start for start, end in cuts]
        if last:
            return found
        carry = bytes(room[cuts[-1][1] :])


def test_the_cuts_are_these() -> None:
    assert lengths(DATA) == VECTOR


def test_zeros_are_cut_at_the_maximum() -> None:
    assert lengths(bytes(600_000)) == [MAX_CHUNK, MAX_CHUNK, 600_000 - 2 * MAX_CHUNK]


def test_chunks_are_the_blob_and_keep_the_bounds() -> None:
    assert b"".join(chunks(DATA)) == DATA
    assert all(MIN_CHUNK <= length <= MAX_CHUNK for length in lengths(DATA)[:-1])


@given(st.integers(0, 700_000), st.integers(MAX_CHUNK + 1, 900_000), st.integers(0, 3))
def test_cuts_do_not_depend_on_how_the_stream_arrives(length: int, buffer: int, start: int) -> None:
    data = DATA[start : start + length]
    assert in_pieces(data, buffer) == lengths(data)


@given(st.integers(0, len(DATA)), st.binary(min_size=1, max_size=5000))
def test_an_insertion_changes_the_chunks_around_it_only(at: int, more: bytes) -> None:
    before = {BlobId.of(chunk) for chunk in chunks(DATA)}
    after = {BlobId.of(chunk) for chunk in chunks(DATA[:at] + more + DATA[at:])}
    assert len(after - before) <= 4


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a pipe does."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._inner.readinto(memoryview(buffer)[:777])


class OnlyRead:
    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._inner.read(min(size, 1000))


def test_fill_goes_on_after_short_reads() -> None:
    for stream in (Trickle(DATA[:5000]), OnlyRead(DATA[:5000])):
        room = bytearray(6000)
        assert fill(stream, memoryview(room)) == 5000
        assert room[:5000] == DATA[:5000]
