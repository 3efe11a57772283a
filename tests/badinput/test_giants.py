"""What would fill the memory or take for ever: giant files, bombs, lengths that lie."""

from __future__ import annotations

import gzip
import json
import resource
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import pytest
import zstandard

from mlver.errors import Damaged
from mlver.objects.ids import BlobId, TreeId
from mlver.store.frames import MAGIC, RAW, TYPES, ZSTD, checksum, pack_header
from mlver.store.pack import FOOTER, FOOTER_MAGIC, PACK_HEADER, ROW
from mlver.verbs.cat import cat
from mlver.verbs.diff import diff
from mlver.verbs.fsck import fsck
from mlver.verbs.show import show
from tests.badinput.kit import SOURCE, small
from tests.kit import Bench

MIB = 1 << 20
_COMMIT_AND_DIFF = r"""
import re, sys
from pathlib import Path
import mlver

def peak():  # of this process alone; ru_maxrss begins with the parent's
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])

repo = mlver.Repo.open(Path(sys.argv[1]), author="ana")
before = peak()
repo.commit("giant")
after = peak()
(artifact,) = repo.diff("HEAD~1", "HEAD").artifacts
print(after - before, peak() - before, artifact.unreadable)
"""


def grown(root: Path) -> tuple[float, float, str]:
    """Commit and diff in another process; return by how many MiB each made it grow, and why a file was not read."""
    done = subprocess.run(
        [sys.executable, "-c", _COMMIT_AND_DIFF, str(root)],
        capture_output=True, text=True, timeout=120, env={"PYTHONPATH": str(SOURCE), "HOME": str(root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    committed, compared, reason = done.stdout.strip().split(" ", 2)
    return int(committed) / 1024, int(compared) / 1024, reason


def test_a_json_file_of_100_mb_is_committed_as_bytes_in_little_memory(tmp_path: Path) -> None:
    bench = small(tmp_path)
    row = b'{"id": 1, "values": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "name": "a name of some length"},\n'
    with (tmp_path / "config/giant.json").open("wb") as file:
        file.write(b"[\n")
        for _ in range(100):
            file.write(row * (MIB // len(row)))
        file.write(b"{}]\n")
    committed, compared, reason = grown(bench.root)
    assert committed < 150 and compared < 300
    assert "larger than 64 MiB" in reason


def test_a_sparse_file_takes_no_memory_and_no_room(tmp_path: Path) -> None:
    bench = small(tmp_path)
    (tmp_path / "models").mkdir()
    with (tmp_path / "models/sparse.bin").open("wb") as file:
        file.truncate(256 * MIB)
    committed, compared, _ = grown(bench.root)
    assert committed < 150 and compared < 200
    assert sum(path.stat().st_size for path in (tmp_path / ".mlver/packs").iterdir()) < 4 * MIB


def _bomb(mebibytes: int) -> bytes:
    """So many zeros as a deflate stream without head or sum: one block that stands alone, again and again."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * mebibytes + packer.flush()


def _sum(of: Callable[[bytes, int], int], start: int, mebibytes: int) -> int:
    return reduce(lambda found, _: of(bytes(MIB), found), range(mebibytes), start)


BOMBS: dict[str, tuple[str, bytes]] = {
    "a gzipped table": (
        "data/bomb.csv.gz",
        b"\x1f\x8b\x08\0\0\0\0\0\2\xff" + _bomb(200) + struct.pack("<II", _sum(zlib.crc32, 0, 200), 200 * MIB),
    ),
    "a compressed model": (
        "models/bomb.joblib",
        b"\x78\xda" + _bomb(400) + struct.pack(">I", _sum(zlib.adler32, 1, 400)),
    ),
    "YAML aliases": (
        "config/bomb.yaml",
        b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)),
    ),
    "deep JSON": ("config/bomb.json", b"[" * 3_000_000 + b"]" * 3_000_000),
    "deep YAML": ("rules/bomb.yaml", b"- " * 100_000 + b"x"),
    "deep TOML": ("config/bomb.toml", b"a = " + b"[" * 100_000),
    "digits": ("metrics/bomb.json", b'{"recall": ' + b"9" * 2_000_000 + b"}"),
    "columns": ("data/bomb.csv", b",".join(b"c%d" % n for n in range(5_000)) + b"\n" + b"1," * 4_999 + b"1\n"),
    "one line": ("src/bomb.py", b"x" * 20_000_000),
    "safetensors header": ("models/bomb.safetensors", struct.pack("<Q", 1 << 62) + b"{}"),
    "safetensors shape": (
        "models/shape.safetensors",
        (lambda head: struct.pack("<Q", len(head)) + head)(
            json.dumps({"a": {"dtype": "F64", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 8]}}).encode()
        )
        + bytes(8),
    ),
    "pickle length": ("models/bomb.pkl", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"x."),
    "pickle memo": ("models/memo.pkl", b"\x80\x04]\x94" + b"(h\x00h\x00e" * 60_000 + b"."),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_committed_and_costs_neither_memory_nor_time(tmp_path: Path, what: str) -> None:
    path, data = BOMBS[what]
    bench = small(tmp_path)
    bench.write(path, data)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    start = time.process_time()
    resource.setrlimit(resource.RLIMIT_AS, (used + 1200 * MIB, hard))
    try:
        bench.commit("bomb")
        (artifact,) = diff(bench.repo, "HEAD~1", "HEAD").artifacts
        show(bench.repo, path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert artifact.unreadable is None or artifact.unreadable.isprintable()
    assert time.process_time() - start < 20
    pieces: list[bytes] = []
    cat(bench.repo, path, pieces.append)
    assert b"".join(pieces) == data


# -- packs that lie ---------------------------------------------------------------------------------


def pack_of(bench: Bench, frames: list[tuple[int, int, int, int, bytes, bytes]]) -> Path:
    """Write a pack of (type, codec, stored, raw, id, payload) as given; all checksums are right. Return its file."""
    from blake3 import blake3

    body, rows = PACK_HEADER, []
    for type_, codec, stored, raw, id, payload in frames:
        rows.append((id, type_, codec, len(body), stored, raw))
        body += pack_header(type_, codec, stored, raw, id) + payload + checksum(payload)
    table_at = len(body)
    table = b"".join(
        ROW.pack(id, type_, codec, 0, 0, at, stored, raw) for id, type_, codec, at, stored, raw in sorted(rows)
    )
    digest = blake3(body + table).digest()
    footer = FOOTER.pack(FOOTER_MAGIC, table_at, len(rows), checksum(table), digest)
    path = bench.root / f".mlver/packs/{digest.hex()}.pack"
    path.write_bytes(body + table + footer + checksum(footer))
    return path


TREE = TYPES["tree"]
_ZEROS = zstandard.ZstdCompressor(level=1).compress(bytes(100 * MIB))
LIES: dict[str, tuple[int, int, int, int, bytes]] = {
    "a raw length beyond every limit": (TREE, ZSTD, len(_ZEROS), 1 << 60, _ZEROS),
    "a stored length beyond the file": (TREE, RAW, 100 * MIB, 100 * MIB, b"short"),
    "less than it unfolds to": (TREE, ZSTD, len(_ZEROS), 1000, _ZEROS),
    "more than it unfolds to": (TREE, ZSTD, len(_ZEROS), 120 * MIB, _ZEROS),
    "an unknown codec": (TREE, 9, 5, 5, b"short"),
    "an unknown type": (77, RAW, 5, 5, b"short"),
    "another object": (TREE, RAW, 5, 5, b"short"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_pack_that_lies_about_an_object_is_damage_and_takes_no_memory(tmp_path: Path, lie: str) -> None:
    bench = small(tmp_path)
    id = TreeId.of(b"what it should be")
    type_, codec, stored, raw, payload = LIES[lie]
    pack_of(bench, [(type_, codec, stored, raw, id, payload)])
    bench.reopen()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Damaged):
        bench.repo.store.get(id)
    report = fsck(bench.repo)
    assert not report.ok and report.commits == 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024
    assert status_is_clean(bench)


def status_is_clean(bench: Bench) -> bool:
    from mlver.verbs.status import status

    return status(bench.repo).clean


@pytest.mark.parametrize("damage", ["a footer of noise", "a table beyond the end", "only a header", "nothing", "magic"])
def test_a_pack_that_is_none_is_named_and_hides_nothing_else(tmp_path: Path, damage: str) -> None:
    bench = small(tmp_path)
    blob = BlobId.of(b"short")
    path = pack_of(bench, [(TYPES["blob"], RAW, 5, 5, blob, b"short")])
    data = path.read_bytes()
    path.write_bytes(
        {
            "a footer of noise": data[:-40] + bytes(40),
            "a table beyond the end": data[: -FOOTER.size - 8]
            + (lambda footer: footer + checksum(footer))(
                FOOTER.pack(FOOTER_MAGIC, 1 << 60, 1 << 30, bytes(8), bytes(32))
            ),
            "only a header": PACK_HEADER,
            "nothing": b"",
            "magic": PACK_HEADER + MAGIC * 200_000,
        }[damage]
    )
    bench.reopen()
    report = fsck(bench.repo)
    assert {problem.what.split(" ")[0] for problem in report.problems} == {f"packs/{path.name}"}
    assert report.commits == 2 and status_is_clean(bench)
    bench.write("data/t.csv", "id,x\n1,9\n")
    bench.commit("goes on")
    if damage in ("a footer of noise", "a table beyond the end"):
        assert bench.repo.store.get(blob) == b"short", "what is sound is still read"


def test_a_gzip_file_of_nothing_is_said(tmp_path: Path) -> None:
    bench = small(tmp_path)
    bench.write("data/empty.csv.gz", gzip.compress(b""))
    bench.commit("x")
    assert "empty" in show(bench.repo, "data/empty.csv.gz").text
