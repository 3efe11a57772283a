"""Rows of tables: gone from every version, in the same format, and everything else of the table as it was."""

from __future__ import annotations

import bz2
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.errors import NegativeAnswer, Refused, UsageError
from mlver.kinds.base import CannotEdit, Spec, Unreadable
from mlver.kinds.edits import Held
from mlver.kinds.tables.drop_rows import drop_rows
from mlver.kinds.tables.read import read_table
from mlver.repo.repository import Repository
from mlver.verbs.diff import diff
from mlver.verbs.pull import pull
from mlver.verbs.push import push
from mlver.verbs.redact import finish_redactions, redact, redactions
from mlver.verbs.remote import add_remote
from mlver.verbs.restore import restore
from mlver.verbs.show import show
from mlver.verbs.status import status
from mlver.verbs.verify import verify
from tests.kit import Bench
from tests.redaction.world import holds, sound

VISITS = "data/visits.csv"
NAMES = [f"patient-{number:05d}" for number in range(5000)]


def csv(names: list[str], sign: str = ",") -> bytes:
    lines = [sign.join(("patient", "name", "dose"))]
    lines += [sign.join((str(number), name, f"{number / 7:.4f}")) for number, name in enumerate(names)]
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Three versions of a table of several chunks, the first without the row; and a table made from it."""
    made = Bench(tmp_path / "w")
    made.write(VISITS, csv(NAMES[:17]))
    made.write("data/split.csv", csv(NAMES[:30]))
    made.commit("one")
    made.write(VISITS, csv(NAMES))
    made.commit("two")
    made.write(VISITS, csv(NAMES).replace(b"patient-00100", b"another"))
    made.commit("three")
    return made


def read(repo: Repository, rev: str, path: str = VISITS) -> bytes:
    return bytes(repo.snapshot(repo.resolve(rev)).source(path).open().read())


def test_the_row_is_in_no_version_and_every_other_line_is_as_it_was(bench: Bench) -> None:
    repo = bench.repo
    heads = [repo.resolve(rev) for rev in ("HEAD", "HEAD~1", "HEAD~2")]
    first = read(repo, "HEAD~2")
    line = b"18,patient-00018,2.5714\n"
    result = redact(repo, [VISITS], "request 18", rows="patient = 18")
    assert result.rows == 2 and [blob.rows for blob in result.blobs] == [1, 1]
    assert [(one.path, one.rows) for one in result.tables] == [("data/split.csv", 1)]
    repo = bench.reopen()
    assert [repo.resolve(rev) for rev in ("HEAD", "HEAD~1", "HEAD~2")] == heads
    assert read(repo, "HEAD~1") == csv(NAMES).replace(line, b"")
    assert read(repo, "HEAD") == csv(NAMES).replace(line, b"").replace(b"patient-00100", b"another")
    assert read(repo, "HEAD~2") == first and line in read(repo, "HEAD", "data/split.csv")
    assert sound(repo)
    redact(repo, ["data/split.csv"], "request 18", rows="patient = 18")
    assert holds(bench.root / ".mlver", b"patient-00018") == []
    assert redactions(repo).unfinished is False


def test_diff_and_show_say_so_and_compare_what_is_left(bench: Bench) -> None:
    repo = bench.repo
    redact(repo, [VISITS], "request 18", rows="patient = 18")
    said = f"{VISITS}: 1 row redacted by ana on 2024-04-01: request 18"
    result = diff(repo, "HEAD~1", "HEAD")
    (one,) = result.artifacts
    assert [change.unit for change in one.changes] == ["100"] and result.redacted == (said,)
    assert show(repo, "HEAD").redacted == (said,) and show(repo, VISITS).redacted == (said,)
    checked = verify(repo, every=True)
    assert checked.damage == () and checked.ok and len(checked.redacted) == 2
    assert all("1 row redacted by ana" in found.detail and "(operation " in found.detail for found in checked.redacted)


def test_the_work_tree_follows_when_asked_and_is_clean_then(bench: Bench) -> None:
    repo = bench.repo
    assert redact(repo, [VISITS], "request 18", rows="patient = 18").left == (VISITS,)
    assert [change.path for change in status(repo).changes] == [VISITS]
    with pytest.raises(Refused, match=r"hold 1 row redacted by ana"):
        bench.commit("the old file again")
    restore(repo, [VISITS])
    assert status(repo).changes == () and b"patient-00018" not in (bench.root / VISITS).read_bytes()
    bench.write("new.txt", "new\n")
    made = bench.commit("on top of it")
    assert [one.path for one in diff(repo, f"{made}~1", str(made)).artifacts] == ["new.txt"]


def test_rows_go_by_key_twice_and_the_first_are_not_back(bench: Bench) -> None:
    repo = bench.repo
    redact(repo, [VISITS], "one", rows="patient = 18")
    again = redact(repo, [VISITS], "two", keys={"patient": ["19", "20"], "name": ["patient-00021"]})
    assert again.rows == 6 and all(blob.commits == 1 for blob in again.blobs)
    left = read(repo, "HEAD~1")
    assert left.count(b"\n") == 5001 - 4 and not any(f"patient-000{n}".encode() in left for n in (18, 19, 20, 21))
    assert sound(repo)
    with pytest.raises(NegativeAnswer, match="no row"):
        redact(repo, [VISITS], "three", rows="patient = 18")
    redact(repo, [VISITS], "all of it")
    assert holds(bench.root / ".mlver", b"patient-00400") == [] and sound(repo)


def test_what_makes_no_sense_changes_nothing(bench: Bench) -> None:
    repo = bench.repo
    bench.write("data/broken.parquet", b"PAR1 and no table")
    bench.commit("broken")
    for words, keys in (("nme = 3", None), ("patient =", None), (None, {"patient": []}), ("a = 1", {"b": ["1"]})):
        with pytest.raises(UsageError):
            redact(repo, [VISITS], "x", rows=words, keys=keys)
    with pytest.raises(Refused, match=r"nothing was removed: data/broken\.parquet"):
        redact(repo, ["data"], "x", rows="patient = 18")
    assert len(redact(repo, ["data"], "x", rows="patient = 18", dry_run=True).unread) == 1
    assert redactions(repo).redactions == () and sound(repo)


def test_another_clone_gets_what_is_left(bench: Bench, tmp_path: Path) -> None:
    there = tmp_path / "bare"
    Repository.init(there, actor="ana", bare=True)[0].close()
    add_remote(bench.repo, "origin", there)
    push(bench.repo, "origin")
    redact(bench.repo, [VISITS], "request 18", rows="patient = 18")
    push(bench.repo, "origin")
    with Repository.open(there, actor="ana") as repo:
        assert read(repo, "main~1") == read(bench.repo, "HEAD~1")
        assert finish_redactions(repo).blobs == 2 and sound(repo)
        assert b"patient-00018" not in read(repo, "main")
    restore(bench.repo, [VISITS])
    pull(bench.repo, "origin")
    assert sound(bench.repo)


def table(rows: int = 40) -> Any:
    names = pa.array([f"name-{n}" for n in range(rows)])
    return pa.table({"id": list(range(rows)), "who": names.dictionary_encode(), "x": [n / 3 for n in range(rows)]})


def parquet(**words: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table().replace_schema_metadata({"made": "by hand"}), sink, **words)
    return sink.getvalue()


def arrow(make: Callable[..., Any], **words: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with make(sink, table().schema, options=pa.ipc.IpcWriteOptions(**words)) as writer:
        writer.write_table(table())
    return bytes(sink.getvalue())


ROWS = [{"id": n, "who": f"name-{n}", "x": n / 3} for n in range(40)]
TEXT = "".join(f'{row["id"]};"name-{row["id"]}";{row["x"]}\r\n' for row in ROWS)
FILES = {
    "a.csv": b"id,who,x\n" + "".join(f"{r['id']},name-{r['id']},{r['x']}\n" for r in ROWS).encode(),
    "quoted.csv": ("id;who;x\r\n" + TEXT).encode(),
    "lines.csv": b'id,who,x\n3,"name-3\nof two lines",1\n7,"name-7\n",2\n',
    "a.csv.gz": gzip.compress(b"id\twho\n" + "".join(f"{r['id']}\tname-{r['id']}\n" for r in ROWS).encode()),
    "a.csv.bz2": bz2.compress(b"id,who\n7,name-7\n8,name-8\n"),
    "a.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "a.json": json.dumps(ROWS, indent=1).encode(),
    "plain.parquet": parquet(compression="NONE", use_dictionary=False),
    "groups.parquet": parquet(compression="GZIP", row_group_size=10),
    "dictionary.parquet": parquet(compression="NONE"),
    "file.arrow": arrow(pa.ipc.new_file),
    "stream.arrow": arrow(pa.ipc.new_stream),
    "a.feather": arrow(pa.ipc.new_file, compression="lz4"),
}


@pytest.mark.parametrize("path", FILES)
def test_each_format_is_written_as_it_was_without_the_row(path: str) -> None:
    data = FILES[path]
    before = read_table(Held(path, data), {})
    left = drop_rows(Held(path, data), Spec(), "id = 7")
    assert left is not None and left.rows == 1
    after = read_table(Held(path, left.data), {})
    wanted = before.filter(pa.compute.not_equal(before["id"], 7))
    assert after.schema.equals(before.schema, check_metadata=True)
    assert after.to_pylist() == wanted.to_pylist()
    inside = {"gz": gzip.decompress, "bz2": bz2.decompress}.get(path.rpartition(".")[2], bytes)(left.data)
    assert b"name-7" in inside or "name-7" not in str(wanted.to_pylist())
    assert path in ("groups.parquet", "a.feather") or b'name-7"' not in inside.replace(b"name-7\n", b'name-7"')
    assert drop_rows(Held(path, left.data), Spec(), "id = 7") is None
    if path.endswith(".parquet"):
        metas = [pq.ParquetFile(io.BytesIO(one)).metadata for one in (data, left.data)]
        assert {meta.row_group(0).column(0).compression for meta in metas} == {
            metas[0].row_group(0).column(0).compression
        }
    assert drop_rows(Held(path, data), Spec(), "id = 7") == left  # the same in every clone


def test_no_dictionary_keeps_a_value_that_only_the_row_had() -> None:
    for path in ("dictionary.parquet", "plain.parquet", "file.arrow", "stream.arrow"):
        left = drop_rows(Held(path, FILES[path]), Spec(), "id = 39")
        assert left is not None and b"name-39" in FILES[path] and b"name-39" not in left.data, path


def test_a_table_may_lose_all_its_rows() -> None:
    for path in ("a.csv", "a.jsonl", "plain.parquet", "file.arrow"):
        left = drop_rows(Held(path, FILES[path]), Spec(), "id >= 0")
        assert left is not None and left.rows == 40 and b"name-" not in left.data


def test_formats_that_are_not_written_are_refused() -> None:
    import pyarrow.orc as orc

    sink = io.BytesIO()
    orc.write_table(pa.table({"id": [1, 7]}), sink)
    with pytest.raises(CannotEdit):
        drop_rows(Held("a.orc", sink.getvalue()), Spec(), "id = 7")


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.text("ab\"',;\n\r\t é", max_size=6)), min_size=1, max_size=12),
    form=st.sampled_from(["csv", "jsonl", "json"]),
)
def test_what_stays_is_what_was_there_whatever_stands_in_the_cells(rows: list[tuple[int, str]], form: str) -> None:
    if form == "csv":
        import csv as writing

        out = io.StringIO()
        lines = writing.writer(out, quoting=writing.QUOTE_ALL)
        lines.writerows([("id", "text"), *rows])
        data = out.getvalue().encode()
    else:
        records = [{"id": id, "text": text} for id, text in rows]
        whole = json.dumps(records) if form == "json" else "".join(json.dumps(one) + "\n" for one in records)
        data = whole.encode()
    held = Held(f"t.{form}", data)
    try:
        before = read_table(held, {})
        left = drop_rows(held, Spec(), "id = 2")
    except (CannotEdit, Unreadable):
        return
    wanted = [row for row in before.to_pylist() if row["id"] != 2]
    if left is None:
        assert len(wanted) == before.num_rows
    elif wanted:
        assert [row["id"] for row in read_table(Held(held.path, left.data), {}).to_pylist()] == [
            r["id"] for r in wanted
        ]
        assert left.rows == before.num_rows - len(wanted)
