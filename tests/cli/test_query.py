"""`query` and `search` on the command line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.kit import Bench

ROOT = Path(__file__).resolve().parents[2]


def test_rows_fit_80_columns_with_short_ids(bench: Bench, mlver: Terminal) -> None:
    answer = mlver("query", "SELECT id, author, subject, time FROM commits ORDER BY number")
    head = bench.repo.view.head
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].split() == ["id", "author", "subject", "time"]
    assert lines[2].split()[0] == head.short
    assert max(map(len, lines)) <= 80


def test_a_row_that_is_too_wide_stands_below_itself(bench: Bench, mlver: Terminal) -> None:
    answer = mlver("query", "SELECT * FROM commits WHERE author = 'eve'")
    told = dict(line.split(None, 1) for line in answer.out.splitlines())
    assert (told["author"], told["why"]) == ("eve", "0 hits in week 2")


def test_json_csv_markdown_and_ids(bench: Bench, mlver: Terminal) -> None:
    sql = "SELECT id, author FROM commits ORDER BY number DESC"
    head = bench.repo.view.head.hex()
    assert mlver("query", sql, "--json").json["rows"][0] == {"id": head, "author": "eve"}
    assert list(csv.reader(io.StringIO(mlver("query", sql, "--csv").out)))[1] == [head, "eve"]
    assert mlver("query", sql, "--md").out.splitlines()[0] == "| id | author |"
    assert mlver("query", sql, "-q").out.splitlines()[0] == head
    cut = mlver("query", sql, "--limit", "1", "--csv")
    assert len(cut.out.splitlines()) == 2 and "first 1 rows" in cut.err
    assert "more than 1 row" in mlver("query", sql, "--limit", "1").out
    assert mlver("query", "SELECT 1 WHERE 0").out == "no rows\n"


def test_parameters(bench: Bench, mlver: Terminal) -> None:
    answer = mlver("query", "SELECT count(*) FROM commits WHERE author = :who", "-p", "who=eve", "--csv")
    assert answer.out.splitlines()[1] == "1"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["DELETE FROM commits"], 3, "may only read, not DELETE commits"),
        (["SELECT * FROM comits"], 2, "did you mean commits"),
        ([], 2, "say what to ask"),
        (["SELECT 1", "--schema"], 2, "say what to ask"),
        (
            ["WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT count(*) FROM t", "--timeout", "0.1"],
            3,
            "0.1 s",
        ),
    ],
)
def test_what_is_refused(bench: Bench, mlver: Terminal, words: list[str], code: int, says: str) -> None:
    answer = mlver("query", *words)
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err and "hint:" in answer.err
    assert "Traceback" not in answer.err


def test_the_path_is_for_other_programs(bench: Bench, mlver: Terminal) -> None:
    path = mlver("query", "--path").out
    assert path == f"{bench.root}/.mlver/cache/index.db\n"
    assert Path(path.strip()).read_bytes()[:15] == b"SQLite format 3"


def test_the_page_of_the_index_says_what_the_tables_are(mlver: Terminal) -> None:
    page = (ROOT / "docs" / "spec" / "index.md").read_text()
    assert page.partition("## Tables\n\n")[2] == mlver("query", "--schema", "--md").out
    listed = mlver("query", "--schema").out
    assert max(map(len, listed.splitlines())) <= 80 and "units_changed" in listed


def test_search_shows_where_and_what(bench: Bench, mlver: Terminal) -> None:
    mlver("note", "HEAD", "the scanner was replaced")
    answer = mlver("search", "scanners")
    assert answer.code == 0
    assert "note" in answer.out.splitlines()[0] and "ana" in answer.out.splitlines()[0]
    assert answer.out.splitlines()[1].strip() == "the scanner was replaced"
    assert mlver("search", "TRI-60", "--json").json["hits"][0]["about"] == "ticket"
    assert mlver("search", "TRI-60", "-q").out.strip() == bench.repo.view.head.hex()
    nothing = mlver("search", "zebra")
    assert (nothing.code, nothing.out) == (1, "nothing holds zebra\n")
    assert mlver("search", "hits", "--in", "rule").code == 1
    assert mlver("search", '"').code == 2


def test_cat_shows_rows_that_meet_a_condition(bench: Bench, mlver: Terminal) -> None:
    some = mlver("cat", "data/train.csv@HEAD", "--where", "label = 1", "--columns", "patient_id")
    assert some.out.split() == ["patient_id", "P2", "P3"]
    assert mlver("cat", "data/train.csv@HEAD~1", "--where", "label = 1", "--count").out == "1\n"
    assert mlver("cat", "data/train.csv@HEAD~1", "--where", "label = 1", "--count", "-q").out == "1\n"
    answer = mlver("cat", "data/train.csv", "--where", "label = 1", "--limit", "1", "--json").json
    assert (answer["rows"], answer["columns"]) == ([{"patient_id": "P2", "label": 1}], ["patient_id", "label"])
    assert mlver("cat", "data/train.csv", "--where", "label = 7").out == "no such row\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["data/train.csv", "--where", "label = 1 and lable = 2"], "where, character 15: no column lable"),
        (["data/train.csv", "--where", "label ="], "where, character 8: a value is missing"),
        (["data/train.csv", "--columns", "nope"], "no column nope"),
        (["rules/rules.json", "--where", "id = 1"], "rules/rules.json is no table, but rules"),
        (["data/train.csv#P1", "--count"], "is one unit, not a table"),
    ],
)
def test_cat_names_what_makes_no_sense(bench: Bench, mlver: Terminal, words: list[str], says: str) -> None:
    answer = mlver("cat", *words)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err


def test_cat_fetches_only_the_chunks_it_needs(bench: Bench, mlver: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mlver.store.object_store import ObjectStore

    noise = np.random.default_rng(0)
    columns = {f"v{n}": noise.normal(size=60_000) for n in range(8)}
    pq.write_table(
        pa.table({"id": np.arange(60_000), **columns}), bench.root / "data" / "t.parquet", row_group_size=5000
    )
    bench.commit("a large table")
    fetched: list[int] = []
    real = ObjectStore._chunk

    def chunk(self: ObjectStore, id: object) -> bytes:
        data = real(self, id)  # type: ignore[arg-type]
        fetched.append(len(data))
        return data

    monkeypatch.setattr(ObjectStore, "_chunk", chunk)
    answer = mlver("cat", "data/t.parquet@HEAD", "--where", "id = 31000", "--columns", "id,v3", "--json")
    assert answer.json["rows"] == [{"id": 31000, "v3": columns["v3"][31000]}]
    assert 0 < sum(fetched) < (bench.root / "data" / "t.parquet").stat().st_size / 5
