"""Questions in SQL and full-text search, through the Python API, on the clinic's world."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

import mlver
from mlver.demo import world
from mlver.errors import Refused, UsageError
from mlver.verbs.search import match_expression

EVER_PROD_WITHOUT_R2 = """
SELECT DISTINCT d.commit_id FROM deployments d
WHERE d.stage = 'prod'
  AND EXISTS (SELECT 1 FROM artifacts a WHERE a.commit_id = d.commit_id AND a.path = 'rules/rules.json')
  AND NOT EXISTS (SELECT 1 FROM rules r WHERE r.commit_id = d.commit_id AND r.path = 'rules/rules.json' AND r.id = 'R2')
ORDER BY d.rowid
"""


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[mlver.Repo, dict[str, str]]]:
    """Five months at the clinic without its training, and the commits by name."""
    root = tmp_path_factory.mktemp("clinic")
    now = [datetime(2024, 2, 5, 10, tzinfo=UTC)]

    def clock() -> datetime:
        now[0] += timedelta(minutes=1)
        return now[0]

    repo = mlver.Repo.init(root, author="ana", clock=clock)
    ids: dict[str, str] = {}

    def commit(name: str, *edits: str, by: str = "ana", **words: object) -> None:
        for edit in edits:
            world.edit(root, edit)
        repo.repository.actor = by
        ids[name] = repo.commit(name, **words).commit.hex()  # type: ignore[union-attr,arg-type]

    world.lay_out(root, "week0")
    commit("v1: rule R1")
    repo.promote("prod", reason="first release")
    commit("R2", "add_R2", by="dana", trailers={"why": ["the scanner of clinic C drops the worst block"]})
    commit("v2", "train_w1", "live_w2", "alert_history", by="cleo")
    repo.promote("prod", reason="recall .952 on the hold-out")
    repo.alerts.import_(root / "alerts" / "history.jsonl")
    commit("impute", "impute_-1", by="ben")
    commit("no R2", "drop_R2", by="eve")
    commit("night", "live_w3", by="cron")
    repo.promote("prod", reason="nightly")
    repo.rollback("prod", reason="A0088, clinic C")
    commit("never live", "max_iter_3000", by="cleo")
    repo.metrics.add(ids["night"], {"recall{clinic=C}": 0.375}, n=8)
    repo.notes.add(ids["night"], "missed cancers: see the incident", mark="bad", ticket="INC-1")
    yield repo, ids
    repo.close()


Clinic = tuple[mlver.Repo, dict[str, str]]


def test_every_commit_without_r2_that_was_ever_in_prod(clinic: Clinic) -> None:
    repo, ids = clinic
    expected = [ids["v1: rule R1"], ids["night"]]
    assert [row["commit_id"] for row in repo.query(EVER_PROD_WITHOUT_R2).rows] == expected
    (repo.root / ".mlver" / "cache" / "index.db").unlink()
    assert [row["commit_id"] for row in repo.query(EVER_PROD_WITHOUT_R2).rows] == expected


def test_alerts_that_were_never_acted_on(clinic: Clinic) -> None:
    repo, _ = clinic
    sql = "SELECT type, count(*) AS fired, sum(state = 'acted') AS acted FROM alerts GROUP BY type"
    told = {row["type"].split(".")[0]: (row["fired"], row["acted"]) for row in repo.query(sql).rows}
    stats = {line.type.split(".")[0]: (line.fired, line.acted) for line in repo.alerts.stats().types}
    assert told == stats


def test_the_life_of_one_setting(clinic: Clinic) -> None:
    repo, _ = clinic
    sql = (
        "SELECT c.author, u.change, u.old, u.new FROM units_changed u JOIN commits c ON c.id = u.commit_id "
        "WHERE u.path = :path AND u.unit = 'impute' ORDER BY c.number"
    )
    assert [tuple(row.values()) for row in repo.query(sql, {"path": world.CONFIG}).rows] == [
        ("ana", "added", None, '"median"'),
        ("ben", "changed", '"median"', '"-1"'),
    ]


def test_the_answer_as_a_document(clinic: Clinic) -> None:
    repo, _ = clinic
    answer = repo.query("SELECT 1 AS a, 'x' AS a, NULL, 1.5, x'00ff'", limit=5)
    assert json.loads(json.dumps(answer.to_dict())) == {
        "schema": "mlver.query/v1",
        "columns": ["a", "a_2", "NULL", "1.5", "x'00ff'"],
        "rows": [{"a": 1, "a_2": "x", "NULL": None, "1.5": 1.5, "x'00ff'": "00ff"}],
        "more": False,
    }
    some = repo.query("SELECT path FROM artifacts", limit=2)
    assert (len(some.rows), some.more) == (2, True)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO commits (id) VALUES ('x')",
        "UPDATE commits SET author = 'x'",
        "DELETE FROM deployments",
        "DROP TABLE commits",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "ATTACH '/tmp/x.db' AS x",
        "PRAGMA query_only = OFF",
        "PRAGMA user_version = 7",
        "PRAGMA writable_schema = ON",
        "VACUUM INTO '/tmp/stolen.db'",
        "BEGIN",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT fts3_tokenizer('simple')",
        "INSERT INTO search(search) VALUES ('rebuild')",
        "WITH x AS (SELECT 1) DELETE FROM commits",
        "REINDEX",
        "ANALYZE",
    ],
)
def test_a_question_can_only_read(clinic: Clinic, sql: str) -> None:
    repo, ids = clinic
    with pytest.raises((Refused, UsageError)) as caught:
        repo.query(sql)
    assert "\n" not in caught.value.message and caught.value.hint
    assert repo.query("SELECT count(*) AS n FROM commits").rows[0]["n"] == len(ids)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT * FROM comits", "no such table: comits; did you mean commits"),
        ("SELECT auhtor FROM commits", "no such column: auhtor; did you mean author"),
        ("SELECT owner FROM commits", "no such column: owner in what is asked; rules has one"),
        ("SELECT", "incomplete input"),
        ("SELEKT 1", 'near "SELEKT": syntax error'),
        ("SELECT 1; SELECT 2", "one question at a time"),
        ("SELECT ?", "binding"),
        ("  ; ", "nothing is asked"),
        ("-- nothing", "incomplete input"),
        ("SELECT * FROM search('AND')", "fts5"),
        ("SELECT json_extract('{', '$')", "malformed JSON"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_in_one_line(clinic: Clinic, sql: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        clinic[0].query(sql)
    assert caught.value.hint


def test_a_question_without_end_is_stopped(clinic: Clinic) -> None:
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
    with pytest.raises(Refused, match=r"not answered within 0\.2 s"):
        clinic[0].query(endless, timeout=0.2)
    with pytest.raises(UsageError, match="too big"):
        clinic[0].query("SELECT length(zeroblob(900000000))")


def test_words_are_found_wherever_they_were_written(clinic: Clinic) -> None:
    repo, ids = clinic
    found = {(hit.source, hit.about) for hit in repo.search("scanner").hits}
    assert {("trailer", "why"), ("rule", "rules/rules.json#R2")} <= found
    [note] = repo.search("missing cancer").hits  # other forms of the words
    assert (note.source, note.commit.hex(), note.by) == ("mark", ids["night"], "cleo")  # type: ignore[union-attr]
    assert "\x02cancers\x03" in note.snippet
    assert [hit.source for hit in repo.search("A0088").hits] == ["operation"]
    assert {hit.source for hit in repo.search("TRI-31", sources=["action"]).hits} == {"action"}
    assert repo.search("scanner -block").hits != repo.search("scanner").hits
    assert repo.search("nowhere").hits == ()
    assert repo.search("clinic", limit=1).more


def test_a_source_that_is_none_is_named(clinic: Clinic) -> None:
    repo, _ = clinic
    assert repo.search("scanner", sources=["mark"]).hits == ()
    with pytest.raises(UsageError, match="nothing is searched under 'notes'") as caught:
        repo.search("scanner", sources=["notes"])
    assert "note" in (caught.value.hint or "")


def test_the_file_is_sqlite_that_other_programs_read(clinic: Clinic) -> None:
    path = clinic[0].query_path().path
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert db.execute("SELECT count(*) FROM units_changed").fetchone()[0] > 100
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_datasette_serves_the_file(clinic: Clinic) -> None:
    datasette = pytest.importorskip("datasette.app", reason="the extra is not installed")
    import asyncio

    app = datasette.Datasette([str(clinic[0].query_path().path)])

    async def visit() -> list[object]:
        tables = await app.client.get("/index.json")
        found = await app.client.get("/index/texts.json?_search=scanner&_shape=array")
        return [tables.status_code, {table["name"] for table in tables.json()["tables"]}, len(found.json())]

    status, tables, hits = asyncio.run(visit())
    assert status == 200
    assert {"commits", "deployments", "texts"} <= tables  # type: ignore[operator]
    assert hits == len(clinic[0].search("scanner").hits)


@pytest.mark.parametrize(
    ("words", "expression"),
    [
        ("scanner", '"scanner"'),
        ("worst block", '"worst" AND "block"'),
        ('"worst block" C', '"worst block" AND "C"'),
        ("scan*", '"scan" *'),
        ("a OR b c", '("a" OR "b") AND "c"'),
        ("clinic -canary", '"clinic" NOT "canary"'),
        ("TRI-31 a:b (x) NEAR", '"TRI-31" AND "a:b" AND "(x)" AND "NEAR"'),
    ],
)
def test_what_is_typed_becomes_an_expression(words: str, expression: str) -> None:
    assert match_expression(words) == expression


@pytest.mark.parametrize("words", ["", "  ", "-", '""', "***", "-only"])
def test_nothing_to_search_for_is_said(words: str) -> None:
    with pytest.raises(UsageError, match="no word"):
        match_expression(words)
