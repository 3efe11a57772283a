"""Every parser of mlver, with good inputs to start from. `test_fuzz.py` fails when a kind or a reader is not among them."""

from __future__ import annotations

import bz2
import gzip
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from mlver.kinds import registry
from mlver.kinds.base import MISSING, CannotEdit, Kind, Spec, Unreadable
from tests.fault import fuzz_seeds as seeds
from tests.kinds.byte_source import ByteSource

Feed = Callable[[bytes], object]


@dataclass(frozen=True)
class Parser:
    """One parser: what is fed to it, and what it starts from. `speed` is about how many inputs it takes a second.

    `wrap` packs or seals an input (compression, a checksum), so that what is behind it is reached as well.
    """

    name: str
    feed: Feed
    seeds: Callable[[], list[bytes]]
    words: Sequence[bytes] = ()
    speed: int = 3000
    wrap: Callable[[bytes, random.Random], bytes] | None = None
    seconds: float = 0.0
    memory: int = 0


# -- files, by kind ----------------------------------------------------------------------------------


def file(kind: str, path: str) -> Feed:
    """Return a feed that reads a file as its kind, and says what it holds."""

    def feed(data: bytes) -> object:
        one = registry.get(kind)
        units = one.units(ByteSource(path, data), Spec())
        for key in islice(units.keys(), 20):
            one.text(key, units.get(key))
        one.summary(units)
        return one.compare(None, units, units.delta(units))

    return feed


def rated(path: str) -> Feed:
    """Return a feed that reads a model, and rates it for a gate."""
    from mlver.kinds.models.rating import rate
    from mlver.kinds.verdicts import VERDICTS

    read = file("model", path)

    def feed(data: bytes) -> object:
        rating = rate(ByteSource(path, data), "model")
        assert rating is not None and rating.verdict in VERDICTS
        return rating if path.endswith((".npy", ".npz")) else read(data)

    return feed


def table(path: str) -> Feed:
    """Return a feed that reads a table, and asks it for rows."""
    read = file("data", path)

    def feed(data: bytes) -> object:
        registry.get("data").head(ByteSource(path, data), Spec(), 3)
        return read(data)

    return feed


def packed(pack: Callable[[bytes], bytes]) -> Callable[[bytes, random.Random], bytes]:
    """Return a `wrap` that compresses, and now and then damages the compressed bytes."""

    def wrap(data: bytes, chance: random.Random) -> bytes:
        made = bytearray(pack(data[: 1 << 16]))
        if made and chance.random() < 0.2:
            made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
        return bytes(made)

    return wrap


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.compress(data)


_JSON = (b'"', b'{"a": ', b"[1, ", b"\\u0000", b'"id": ', b"1e400", b"-", b"// x\n", b'{"a": 1, "a": 2}')
_YAML = (
    b"&a ",
    b"*a",
    b"!!python/object:os.system ",
    b"<<: *a\n",
    b"? ",
    b"|\n",
    b">\n",
    b"---\n",
    b"...\n",
    b"%YAML 9.9\n",
)
_TOML = (b"[[a]]\n", b"[a.b]\n", b"a = ", b'"""', b"'''", b"1979-05-27T07:32:00Z", b"{a = 1}", b"inf", b"nan")
_CSV = (b'"', b'""', b",", b";", b"\t", b"\r\n", b",,,,", b"id", b"NaN", b"1e999", b"2024-01-01")
_PICKLE = (
    b"cos\nsystem\n", b"\x8c\x02os\x8c\x06system\x93", b"R", b"o", b"b", b"0", b"1", b"2", b"(", b"t", b".", b"\x85", b"}", b"]",
    b"s", b"u", b"a", b"e", b"\x94", b"h\x00", b"q\x00", b"\x80\x04", b"\x95\x08\0\0\0\0\0\0\0", b"\x81", b"\x92", b"\x90", b"Q",
    b"\x8f", b"Nb", b"I1\n", b"L1L\n", b"F1.5\n", b"V\\u0041\n", b"S'a'\n", b"G" + bytes(8), b"\x8a\x01\x01", b"\x97",
    b"cnumpy._core.multiarray\n_reconstruct\n", b"cnumpy\ndtype\n", b"ccollections\nOrderedDict\n",
    b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccopyreg\n_reconstructor\n",
)  # fmt: skip
_SQL = (
    b"SELECT ",
    b"FROM ",
    b"WHERE ",
    b"CASE WHEN ",
    b"END",
    b"--",
    b"/*",
    b"*/",
    b"'",
    b";",
    b" AND ",
    b"{{ x }}",
    b"$$",
)
_PYTHON = (
    b"def f():\n",
    b"    ",
    b"return ",
    b"lambda: ",
    b"class A:\n",
    b"if x > 3:\n",
    b'"""',
    b"\\\n",
    b"@",
    b"await ",
    b"match x:\n",
)

FILES: tuple[tuple[str, str, Sequence[bytes], int], ...] = (
    # kind, path, words, speed; a seed is what fuzz_seeds.by_path holds for the path
    ("data", "data/t.csv", _CSV, 400), ("data", "data/t.tsv", _CSV, 400), ("data", "data/t.jsonl", _JSON, 400),
    ("data", "data/t.json", _JSON, 400), ("data", "data/t.parquet", (), 400), ("data", "data/t.orc", (), 300),
    ("data", "data/t.arrow", (), 400), ("data", "data/t.feather", (), 400), ("data", "data/a.npy", (), 1500),
    ("data", "data/a.npz", (), 700),
    ("model", "models/m.pkl", _PICKLE, 3000), ("model", "models/e.pkl", _PICKLE, 1200), ("model", "models/m.joblib", _PICKLE, 800),
    ("model", "models/m.pt", _PICKLE, 800), ("model", "models/m.skops", _JSON, 500), ("model", "models/m.keras", _JSON, 400),
    ("model", "models/m.h5", (), 500), ("model", "models/m.onnx", (), 1000), ("model", "models/m.gguf", (), 2500),
    ("model", "models/m.safetensors", _JSON, 3000), ("model", "models/m.txt", (b"=", b"\nTree=9\n", b"end of trees\n"), 600),
    ("model", "models/m.ubj", (b"[$d#L", b"{", b"}", b"SL", b"H", b"[#U"), 600), ("model", "models/x.json", _JSON, 400),
    ("model", "models/m.yaml", _YAML, 700), ("model", "models/m.npy", (), 2500), ("model", "models/m.npz", _PICKLE, 1500),
    ("rules", "rules/r.json", _JSON, 2500), ("rules", "rules/r.yaml", _YAML, 600), ("rules", "rules/r.toml", _TOML, 1500),
    ("rules", "rules/r.ini", (b"[", b"]\n", b"=", b"%(a)s"), 2500), ("rules", "rules/r.py", _PYTHON, 1000),
    ("rules", "rules/r.sql", _SQL, 1500), ("rules", "models/schema.yml", _YAML, 500), ("rules", "rules/deequ.json", _JSON, 2500),
    ("metrics", "metrics/m.json", _JSON, 2500), ("metrics", "metrics/m.yaml", _YAML, 700), ("metrics", "metrics/m.toml", _TOML, 1500),
    ("metrics", "metrics/m.csv", _CSV, 2500), ("metrics", "metrics/m.jsonl", _JSON, 2500),
    ("alerts", "alerts/a.json", _JSON, 2500), ("alerts", "alerts/a.jsonl", _JSON, 2500), ("alerts", "alerts/a.csv", _CSV, 2500),
    ("config", "config/c.json", _JSON, 2500), ("config", "config/c.yaml", _YAML, 700), ("config", "config/c.toml", _TOML, 1500),
    ("config", "config/c.ini", (b"[", b"]\n", b"=", b"%(a)s"), 2500), ("config", "requirements.txt", (b"==", b"-r ", b"#"), 3000),
    ("config", "Pipfile.lock", _JSON, 2500), ("config", "poetry.lock", _TOML, 1500), ("config", "config/c", _YAML, 400),
    ("code", "src/a.py", _PYTHON, 2000), ("code", "n.ipynb", _JSON, 2000), ("code", "README.md", (), 3000),
    ("file", "x.bin", (), 4000),
)  # fmt: skip


def _of_files() -> list[Parser]:
    found = []
    for kind, path, words, speed in FILES:
        feed = rated(path) if kind == "model" else table(path) if kind == "data" else file(kind, path)
        found.append(Parser(f"{kind}:{path}", feed, lambda path=path: seeds.by_path(path), words, speed))
    for name, path, like, pack in (
        ("gzip", "data/t.csv.gz", "data/t.csv", gzip.compress), ("bz2", "data/t.jsonl.bz2", "data/t.jsonl", bz2.compress),
        ("zstd", "data/t.csv.zst", "data/t.csv", _zstd),
    ):  # fmt: skip
        feed = table(path)
        found.append(Parser(f"data:{name}", feed, lambda like=like: seeds.by_path(like), _CSV, 300, packed(pack)))
    for name, pack in (("zlib", zlib.compress), ("gzip", gzip.compress), ("bz2", bz2.compress)):
        feed = rated("models/z.joblib")
        found.append(
            Parser(f"model:{name}", feed, lambda: seeds.by_path("models/m.joblib"), _PICKLE, 500, packed(pack))
        )
    return found


# -- large tables: read block by block, they are what they are when read whole ---------------------------


def large(path: str) -> Feed:
    """Return a feed that reads a table as if it were large, and holds what it says against the whole."""
    from mlver.kinds.tables import text_blocks
    from mlver.kinds.tables.apart import ReadWhole
    from mlver.kinds.tables.on_disk import apart_on_disk, late_on_disk

    def feed(data: bytes) -> object:
        setattr(text_blocks, "BLOCK", 100)  # noqa: B010 - a constant; this runs in a process of its own
        source, kind = ByteSource(path, data), registry.get("data")
        whole = kind.units(source, Spec()) if _readable(kind, source) else None
        try:
            late = late_on_disk(source, Spec(), lambda: kind.units(source, Spec()))
            apart = apart_on_disk(source, source, (Spec(), Spec()))
        except ReadWhole:
            return None
        assert whole is not None, "read in blocks, and not as a whole"
        keys = list(whole.keys())
        assert keys == list(late.keys()) and repr(whole.get_all(keys)) == repr(late.get_all(keys))
        assert not apart[0].delta(apart[1])
        return kind.summary(late)

    return feed


def _readable(kind: Kind, source: ByteSource) -> bool:
    try:
        kind.units(source, Spec())
    except Unreadable:
        return False
    return True


_LARGE = (
    ("data/t.csv", _CSV), ("data/t.tsv", _CSV), ("data/t.jsonl", _JSON), ("data/t.orc", ()), ("data/t.feather", ()),
)  # fmt: skip


def _of_large() -> list[Parser]:
    return [
        Parser(f"large:{path}", large(path), lambda path=path: seeds.by_path(path), words, 60) for path, words in _LARGE
    ]


# -- editing: a changed file is written back -----------------------------------------------------------


def edited(kind: str, path: str) -> Feed:
    """Return a feed that removes the last unit of a file, gives the first its value, and reads what comes out."""

    def feed(data: bytes) -> object:
        one = registry.get(kind)
        units = one.units(ByteSource(path, data), Spec())
        first = next(iter(units.keys()), None)
        if first is None:
            return None
        last = list(units.keys())[-1]
        old, new = units.get(first), units.get(last)
        alike = type(old) is type(new) and (not isinstance(old, dict) or old.keys() == new.keys())
        given = {first: new} if alike and first != last else {}
        try:
            made = one.edit(ByteSource(path, data), Spec(), {last: MISSING} | given, like=units)
        except CannotEdit:
            made = one.edit(ByteSource(path, data), Spec(), given, like=units)
        return one.units(ByteSource(path, made), Spec())

    return feed


_EDITED = (
    ("config", "config/e.yaml", _YAML), ("config", "config/c.toml", _TOML), ("config", "config/c.json", _JSON),
    ("rules", "rules/r.yaml", _YAML), ("metrics", "metrics/m.json", _JSON), ("alerts", "alerts/a.jsonl", _JSON),
    ("data", "data/t.csv", _CSV),
)  # fmt: skip


def _of_edits() -> list[Parser]:
    return [
        Parser(f"edit:{path}", edited(kind, path), lambda path=path: seeds.by_path(path), words, 250)
        for kind, path, words in _EDITED
    ]


_DUCKDB = 4 << 30  # bytes of address space it takes beside what it uses


def _all() -> tuple[Parser, ...]:
    from tests.fault.fuzz_own import OWN

    given = [*_of_files(), *_of_edits(), *_of_large()]
    given += [
        Parser(name, feed, lambda make=make: make(), words, speed, wrap, seconds, _DUCKDB if seconds else 0)
        for name, feed, make, words, speed, wrap, seconds in OWN
    ]
    return tuple(given)


PARSERS = _all()
NAMES = [parser.name for parser in PARSERS]
assert len(set(NAMES)) == len(NAMES)
