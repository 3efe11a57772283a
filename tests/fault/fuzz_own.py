"""The parsers of mlver's own formats and little languages: objects, packs, mlver.toml, conditions, times, revisions."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from mlver.errors import Damaged
from mlver.objects.commit import Commit, Derivation, Environment
from mlver.objects.encoding import decode, encode, load_plain
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.state import FactBatch, Operation
from mlver.objects.time import parse_span, parse_time, parse_when
from mlver.objects.tree import Tree
from mlver.repo.conditions import parse_condition
from mlver.repo.gc_roots import parse_grace, parse_keep
from mlver.repo.head import parse_slot, read_head, read_log, slot_bytes
from mlver.repo.joining import parse_choice
from mlver.repo.metric_facts import MetricName
from mlver.storage.memory import MemoryStorage
from mlver.store.codec import decode as unpacked
from mlver.store.codec import unfold
from mlver.store.frames import HEADER_BYTES, RAW, ZSTD, checksum, parse_header, parse_list
from mlver.store.pack import FOOTER, FOOTER_BYTES, ROW, Location, pack_key, parse_footer, parse_rows, read_object
from mlver.store.scan import load_rows, scan
from tests.fault.fuzz_seeds import by_path
from tests.fault.fuzz_written import (
    TOML,
    alerts_feed,
    edit_marks_feed,
    evidence_feed,
    evidences_feed,
    ignore_feed,
    measured_feed,
    name_feed,
    predicate_feed,
    predicted_feed,
    project_feed,
    revision_feed,
    rows_feed,
    setting_feed,
    settings_feed,
    where_feed,
)

_NAME = "ab" * 32
_BREAK = b"\n--\n"
Row = tuple[
    str, Callable[[bytes], object], Callable[[], list[bytes]], Sequence[bytes], int,
    Callable[[bytes, random.Random], bytes] | None, float,
]  # fmt: skip


def said(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """Return a feed for a parser of text."""
    return lambda data: parse(data.decode("utf-8", "surrogateescape") if len(data) % 7 == 0 else data.decode("latin-1"))


def texts(*given: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in given]


# -- a repository, from which the objects come ---------------------------------------------------------


@cache
def _world() -> dict[str, list[bytes]]:
    from mlver.verbs.alerts import add_alert
    from mlver.verbs.metrics import add_metrics
    from mlver.verbs.note import add_note
    from mlver.verbs.promote import promote
    from mlver.verbs.run import begin, record
    from tests.kit import Bench

    bench = Bench(Path(tempfile.mkdtemp(prefix="fuzz-world-")) / "w")
    bench.write("data/t.csv", "id,x\n" + "".join(f"{n},{n % 7}\n" for n in range(300)))
    started = begin(bench.repo)
    bench.write("models/m.json", {"cut": 1})
    record(bench.repo, started, command=["train"], inputs=["data/t.csv"], outputs=["models/m.json"])
    bench.commit("one\n\nbecause", trailers={"ticket": ["T-1"]})
    add_metrics(bench.repo, "HEAD", {"recall": 0.9, "clinic=C": {"recall": 0.4, "n": 8}}, dataset="data/t.csv")
    add_note(bench.repo, "HEAD", "a note")
    add_alert(bench.repo, "drift", severity="critical")
    promote(bench.repo, "prod", reason="good")
    bench.write("mlver.toml", TOML[0])
    bench.commit("two")
    found: dict[str, list[bytes]] = {"operation": [], "pack": [], "slot": []}
    for path in sorted((bench.root / ".mlver").rglob("*")):
        if path.is_file():
            name = path.relative_to(bench.root / ".mlver").as_posix()
            kind = "operation" if name.startswith("ops/") else "pack" if name.endswith(".pack") else "slot"
            if kind != "slot" or name.startswith("head"):
                found[kind].append(path.read_bytes())
    found["operation"] = [unfold(data, 1 << 20) for data in found["operation"]]
    repo, view = bench.repo, bench.repo.view
    head = repo.commit(view.head)
    found["commit"] = [encode(head), encode(repo.commit(head.parents[0]))]
    found["tree"] = [encode(repo.store.get_object(Tree, head.tree))]
    found["environment"] = [encode(repo.store.get_object(Environment, head.environment))] if head.environment else []
    found["environment"] += [encode(Environment("3.11", "CPython", "Linux", {"numpy": "2.0"}))]
    made = next(iter(repo.commit(head.parents[0]).derivations.values()), None)
    found["derivation"] = [encode(repo.store.get_object(Derivation, made))] if made else []
    found["facts"] = [encode(repo.store.get_object(FactBatch, view.facts))]
    return found


def of(kind: str) -> Callable[[], list[bytes]]:
    return lambda: _world()[kind]


# -- the store -----------------------------------------------------------------------------------------


def _pack(data: bytes) -> object:
    storage = MemoryStorage()
    storage.create(pack_key(_NAME), data)
    list(scan(storage, _NAME))
    _, rows = load_rows(storage, _NAME)
    for row in rows[:20]:
        try:
            read_object(storage, Location(_NAME, row))
        except (Damaged, KeyError):
            continue
    return rows


def _sealed_pack(data: bytes, chance: random.Random) -> bytes:
    """Put right the checksums of footer and key table, most of the time."""
    if len(data) < FOOTER_BYTES or chance.random() < 0.3:
        return data
    magic, table_at, count, check, digest = FOOTER.unpack_from(data, len(data) - FOOTER_BYTES)
    table = data[table_at : table_at + count * ROW.size] if table_at < len(data) and count < 1 << 20 else b""
    footer = FOOTER.pack(magic, table_at, count, checksum(table) if table else check, digest)
    return data[: len(data) - FOOTER_BYTES] + footer + checksum(footer)


def _table(data: bytes) -> object:
    if len(data) < FOOTER_BYTES:
        parse_footer(data, len(data))
    table_at, count, _, _ = parse_footer(data[-FOOTER_BYTES:], len(data))
    return parse_rows(data[table_at : table_at + count * ROW.size], table_at)


def _sealed_header(data: bytes, chance: random.Random) -> bytes:
    head = data[: HEADER_BYTES - 8]
    return (
        data if chance.random() < 0.3 or len(head) < HEADER_BYTES - 8 else head + checksum(head) + data[HEADER_BYTES:]
    )


def _headers() -> list[bytes]:
    return [data[16 : 16 + HEADER_BYTES] for data in _world()["pack"]]


def _head(data: bytes) -> object:
    """A head that was damaged, over operations that are sound or not: `data` is a slot, and two operations."""
    slot, _, rest = data.partition(_BREAK)
    first, _, second = rest.partition(_BREAK)
    storage = MemoryStorage()
    from mlver.objects.ids import OperationId

    for raw in (first, second):
        storage.create(f"ops/{OperationId.of(raw)}", raw)
    storage.create("head.0", slot)
    head = read_head(storage, salvage=True)
    return list(read_log(storage, head.id, head.operation)) if head else None


def _heads() -> list[bytes]:
    from mlver.objects.ids import OperationId

    ops = sorted(_world()["operation"], key=lambda data: decode(Operation, data).number)[:2]
    number = decode(Operation, ops[1]).number
    return [slot_bytes(number, OperationId.of(ops[1])) + _BREAK + ops[0] + _BREAK + ops[1]]


def _packed() -> list[bytes]:
    import zstandard

    return [zstandard.compress(b"some text, some text, some text" * n) for n in (1, 20, 4000)]


def _zstd(data: bytes) -> object:
    unfold(data, 1 << 20)
    unpacked(RAW, data, len(data))
    return unpacked(ZSTD, data, 31)


_TIMES = (
    "2024-01-01",
    "2024-01-01T10:00:00Z",
    "2024-01-01 10:00+02:00",
    "yesterday 10:00",
    "3d ago",
    "last monday",
    "5 mar 2024",
)
_CONDITIONS = (
    "recall >= 0.95", "recall{clinic=*} >= 0.9 on data/t.csv n >= 30", "accuracy >= baseline - 2%", "low(delta(x)) > 0",
    "delta(accuracy) > 0", "f1 >= baseline * 0.98",
)  # fmt: skip
_PREDICATES = (
    "age > 3 and name in ('a', 'b')", "age is null or not (\"x y\" between 1 and 2)", "name like 'a%'", "age >= 18 && name == 'x'",
    json.dumps({"column": "age", "op": ">=", "value": 18}), json.dumps({"when": {"column": "name", "in": ["a"]}}),
    json.dumps({"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "min_value": 0}}),
    json.dumps({"constraint": "age >= 0"}), json.dumps({"missing_at_least": 2, "columns": ["age", "name"]}),
    json.dumps({"column": "age", "min": 0, "max": 120}),
)  # fmt: skip
_SQL = (
    b"SELECT ",
    b"(SELECT 1)",
    b"read_csv('/etc/passwd')",
    b";",
    b"--",
    b"OR 1=1",
    b"CASE WHEN ",
    b"::",
    b"'",
    b'"',
    b" AND ",
    b"(",
)
_NOW = datetime(2024, 4, 1, tzinfo=UTC)

OWN: tuple[Row, ...] = (
    ("object:commit", lambda data: decode(Commit, data), of("commit"), (b'"parents":', b"[]", b"null"), 6000, None, 0),
    ("object:tree", lambda data: decode(Tree, data), of("tree"), (b'"type":', b"blob"), 6000, None, 0),
    ("object:operation", lambda data: decode(Operation, data), of("operation"), (b'"view":', b"{}"), 3000, None, 0),
    ("object:derivation", lambda data: decode(Derivation, data), of("derivation"), (b"{}", b"null"), 6000, None, 0),
    ("object:environment", lambda data: decode(Environment, data), of("environment"), (b"{}",), 6000, None, 0),
    ("object:facts", lambda data: decode(FactBatch, data), of("facts"), (b'"subject":', b"[]"), 6000, None, 0),
    ("object:plain", load_plain, texts('{"a": [1, null, "x"]}'), (b"[", b"NaN", b"1e999"), 20000, None, 0),
    ("object:ids", said(lambda text: (CommitId.parse(text), BlobId.parse(text))), texts("ab" * 32, "c" * 10), (), 30000, None, 0),
    ("store:slot", parse_slot, of("slot"), (b'"number":', b'"checksum":'), 20000, None, 0),
    ("store:head", _head, _heads, (b'"parents":', b"[]"), 3000, None, 0),
    ("store:header", parse_header, _headers, (), 30000, _sealed_header, 0),
    ("store:list", parse_list, lambda: [(bytes(range(32)) + bytes((9, 1, 0, 0))) * 3], (), 30000, None, 0),
    ("store:pack", _pack, of("pack"), (b"MVf1",), 800, _sealed_pack, 0),
    ("store:table", _table, of("pack"), (), 6000, _sealed_pack, 0),
    ("store:zstd", _zstd, _packed, (), 10000, None, 0),
    ("project:mlver.toml", project_feed, texts(*TOML), (b"[stages.x]\n", b"[policy]\n", b"[metrics.x]\n", b"= []", b"= 1e99"), 700, None, 0),
    ("project:ignore", ignore_feed, texts("*.tmp\n!a/b\n/x/**/y\n[a-z]*\n# c\n"), (b"**", b"[", b"!", b"\\", b"/"), 1500, None, 0),
    ("project:settings", settings_feed, texts('author = "ana"\n"releases.keep" = 3\n[remote]\nx = "/y"\n'), (b"= 1", b"[a]\n"), 2500, None, 0),
    ("project:setting", said(setting_feed), texts("releases.keep=5", "author=ana", "symlinks=store"), (), 20000, None, 0),
    ("text:time", said(parse_time), texts(*_TIMES), (b"T", b"Z", b"+99:99", b"-", b":"), 30000, None, 0),
    ("text:when", said(lambda text: parse_when(text, _NOW)), texts(*_TIMES), (b" ago", b"last ", b"jan"), 20000, None, 0),
    ("text:span", said(parse_span), texts("7d", "15m", "2w", "1h"), (b"d", b"w", b" "), 30000, None, 0),
    ("text:grace", said(parse_grace), texts("2w", "0"), (), 30000, None, 0),
    ("text:keep", said(parse_keep), texts("best:5:recall,days:30,measured"), (b",", b":"), 30000, None, 0),
    ("text:condition", said(parse_condition), texts(*_CONDITIONS), (b"baseline", b"{", b"}", b"n >= ", b"delta(", b"low("), 15000, None, 0),
    ("text:choice", said(parse_choice), texts("prod=ours", "prod/clinic=C=theirs"), (b"=", b"/"), 30000, None, 0),
    ("text:metric", said(MetricName.parse), texts("recall{clinic=C}", "recall"), (b"{", b"}", b"="), 30000, None, 0),
    ("text:pairs", said(rows_feed), texts("recall{clinic=C}=0.9", "a=1"), (b"=", b"{", b"}", b"\0"), 30000, None, 0),
    ("text:name", said(name_feed), texts("main", "data/t.csv", "a/b"), (b"..", b"/", b"\\", b".git", b"con", b"~1"), 30000, None, 0),
    ("text:revision", said(revision_feed), texts("HEAD~1", "main@{1}", "HEAD:data/t.csv#1", "prod@2024-01-01"), (b"~", b"^", b"@{", b":", b"#"), 600, None, 0),
    ("text:where", said(where_feed), texts("age > 3 and name in ('a')", "not (id = 1 or `x y` is null)"), _SQL, 3000, None, 0),
    ("text:predicate", predicate_feed, texts(*_PREDICATES), _SQL, 120, None, 4.0),
    ("answer:metrics", measured_feed, texts('log\n{"recall": 0.9, "C": {"n": 3}}\n'), (b"{", b"}", b"\n{", b"NaN"), 8000, None, 0),
    ("answer:predictions", predicted_feed, texts('{"1": 0.5, "2": 1}', "id,prediction\n1,0.5\n2,1\n"), (b"\n{", b",", b'"'), 8000, None, 0),
    ("answer:alerts", alerts_feed, lambda: by_path("alerts/a.json"), (b'"at":',), 2500, None, 0),
    ("evidence:archive", evidence_feed, evidences_feed, (b"ustar", b"\0" * 512), 250, None, 0),
    ("rules:ordered", edit_marks_feed, lambda: by_path("rules/r.yaml"), (), 600, None, 0),
)  # fmt: skip
