import numpy as np
import pytest
import zstandard
from sklearn.datasets import load_breast_cancer

from mlver.errors import Damaged
from mlver.store import codec
from mlver.store.frames import RAW, ZSTD
from tests.store.kit import noise


@pytest.mark.parametrize("size", [0, 1, 63, 64, 1000, 16 << 10, 100_000])
def test_noise_is_stored_as_it_is(size: int) -> None:
    data = noise(size)
    assert codec.compress(data) == (RAW, data)


def test_text_is_compressed_and_comes_back() -> None:
    data = "\n".join(",".join(map(str, row)) for row in load_breast_cancer().data).encode()[: 100 << 10]
    how, payload = codec.compress(data)
    assert how == ZSTD and len(payload) < len(data) // 2
    assert codec.decode(how, payload, len(data)) == data


def test_a_sample_that_looks_dull_saves_the_work() -> None:
    data = noise(4096) + bytes(60_000)
    assert codec.compress(data)[0] == RAW
    assert codec.compress(bytes(60_000) + noise(4096))[0] == ZSTD


def test_arrays_that_hardly_compress_stay_raw() -> None:
    data = np.random.default_rng(0).normal(size=8000).astype("<f4").tobytes()
    how, payload = codec.compress(data)
    assert (how == RAW) == (len(zstandard.ZstdCompressor(level=1).compress(data)) > len(data) * 15 // 16)
    assert codec.decode(how, bytes(payload), len(data)) == data


@pytest.mark.parametrize("declared", [0, 99, 101, 1 << 40])
def test_another_length_than_declared_is_refused(declared: int) -> None:
    with pytest.raises(Damaged):
        codec.decompress(zstandard.ZstdCompressor().compress(bytes(100)), declared)


def test_a_bomb_without_its_size_is_refused() -> None:
    bomb = zstandard.ZstdCompressor().compressobj()
    data = bomb.compress(bytes(10 << 20)) + bomb.flush()
    assert len(data) < 2000
    with pytest.raises(Damaged, match="another length"):
        codec.decompress(data, 1000)


def test_a_frame_that_lies_about_its_size_is_refused() -> None:
    honest = zstandard.ZstdCompressor().compress(bytes(100_000))
    at = honest.index((100_000).to_bytes(4, "little"))
    liar = honest[:at] + (500).to_bytes(4, "little") + honest[at + 4 :]
    assert zstandard.frame_content_size(liar) == 500
    with pytest.raises(Damaged):
        codec.decompress(liar, 500)


def test_a_declared_terabyte_is_refused_before_anything_is_allocated() -> None:
    frame = bytes.fromhex("28b52ffd") + b"\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(Damaged):
        codec.decompress(frame, 1000)


def test_a_second_frame_behind_the_first_is_refused() -> None:
    one = zstandard.ZstdCompressor().compress(bytes(100))
    with pytest.raises(Damaged):
        codec.decompress(one + one, 100)
    with pytest.raises(Damaged):
        codec.decompress(one + b"x", 100)


def test_garbage_is_refused() -> None:
    for data in (b"", b"x", noise(100), zstandard.ZstdCompressor().compress(bytes(100))[:-1]):
        with pytest.raises(Damaged):
            codec.decompress(data, 100)


def test_a_compressor_that_fails_is_caught_before_its_bytes_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def compress(self, data: bytes) -> bytes:
            return zstandard.ZstdCompressor().compress(bytes(len(data)))

    monkeypatch.setattr(codec, "compressor", Broken)
    with pytest.raises(Damaged, match="fault"):
        codec.compress(b"a" * 1000)
