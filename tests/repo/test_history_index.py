"""The history index holds what the repository says, however it came to be filled."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlver.objects.ids import CommitId
from mlver.objects.time import format_time
from mlver.repo.alert_book import AlertBook
from mlver.repo.history_index import ask_history, index_file
from mlver.repo.ledger import ledger_of
from mlver.repo.metric_facts import metric_values, newest, recorded_metrics
from mlver.verbs.alerts import act_on_alert, add_alert
from mlver.verbs.branch import set_ref, switch
from mlver.verbs.diff import diff
from mlver.verbs.log import log
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.rollback import rollback
from mlver.verbs.undo import undo
from tests.kit import Bench
from tests.repo.history_world import dump, forget

R1 = {"id": "R1", "then": "refer"}
R2 = {"id": "R2", "then": "refer", "owner": "dana", "why": "the scanner drops the worst block"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "w")
    bench.write("config/pipeline.json", {"impute": "median", "C": 1.0})
    bench.write("rules/rules.json", [R1])
    bench.write("data/train.csv", "patient_id,label\nP1,0\nP2,1\n")
    bench.commit("v1")
    return bench


def asked(bench: Bench, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    return list(ask_history(bench.repo, sql, values).rows)


def lived_in(bench: Bench) -> None:
    """A short life with everything that can be asked about."""
    promote(bench.repo, "prod", reason="first release")
    bench.write("rules/rules.json", [R1, R2])
    bench.write("metrics/static.json", {"accuracy": 0.9, "clinic=C": {"recall": 0.8, "n": 8}})
    bench.commit("rule R2", by="dana", trailers={"why": ["null_fraction alert"], "ticket": ["TRI-31"]})
    promote(bench.repo, "prod", reason="R2 is in")
    promote(bench.repo, "prod", "HEAD~1", scope="clinic=A", reason="not there yet")
    add_metrics(bench.repo, "HEAD", {"recall{clinic=C}": 0.75, "accuracy": float("nan")}, n=8)
    add_metrics(bench.repo, "HEAD", {"recall{clinic=C}": 0.375}, n=8)
    add_alert(bench.repo, "flag_rate_drop", id="A1", severity="page", summary="clinic C refers nobody")
    act_on_alert(bench.repo, "A1", did="called the clinic", ticket="INC-1")
    add_note(bench.repo, "HEAD", "looks fine to me")
    bench.write("config/pipeline.json", {"impute": "-1", "C": 1.0})
    bench.write("data/train.csv", "patient_id,label\nP1,1\nP2,1\nP3,0\n")
    bench.commit("simpler", by="ben")
    set_ref(bench.repo, "tag", "night")
    add_note(bench.repo, "HEAD", "missed cancers", mark="bad", ticket="INC-1")
    promote(bench.repo, "prod", reason="nightly")
    rollback(bench.repo, "prod", reason="A1, clinic C")


def test_every_table_has_what_the_verbs_say(bench: Bench) -> None:
    lived_in(bench)
    repo = bench.repo
    commits = log(repo, every=True).commits
    assert asked(bench, "SELECT id, author, time, subject FROM commits ORDER BY number DESC") == [
        (c.id.hex(), c.author, format_time(c.time), c.subject) for c in commits
    ]
    held = {(c.id.hex(), a.path, a.kind, a.id.hex()) for c in commits for a in repo.snapshot(c.id).artifacts.values()}
    assert set(asked(bench, "SELECT commit_id, path, kind, id FROM artifacts")) == held
    ledger = [
        (e.stage, e.scope, e.live.commit.hex(), format_time(e.since), e.until and format_time(e.until), e.live.reason)
        for e in ledger_of(repo)
    ]
    assert (
        asked(bench, "SELECT stage, scope, commit_id, since, until, reason FROM deployments ORDER BY rowid") == ledger
    )
    for info in commits:
        recorded = [v for v in metric_values(repo, info.id) if v.fact]
        rows = asked(
            bench, "SELECT name, slice, value, n, fact_id FROM latest_metrics WHERE commit_id = ?", info.id.hex()
        )
        assert sorted(rows, key=repr) == sorted(
            ((v.name, v.slice, "NaN" if v.value != v.value else v.value, v.n, v.fact.hex()) for v in recorded), key=repr
        )
    record = AlertBook(repo).records()["A1"]
    assert asked(bench, "SELECT id, state, commit_id, actions FROM alerts") == [("A1", "acted", record.live.hex(), 1)]
    assert asked(bench, "SELECT event, did, ticket FROM alert_events ORDER BY at") == [
        ("fired", None, None),
        ("acted", "called the clinic", "INC-1"),
    ]
    assert asked(bench, "SELECT text, mark FROM notes ORDER BY at") == [
        ("looks fine to me", None),
        ("missed cancers", "bad"),
    ]
    assert asked(bench, "SELECT count(*) FROM operations") == [(repo.state.operation.number + 1,)]
    assert set(asked(bench, "SELECT name, type FROM refs")) == {
        ("HEAD", "HEAD"), ("main", "branch"), ("night", "tag"), ("prod", "stage"), ("prod/clinic=A", "stage"),
    }  # fmt: skip


def test_units_changed_are_those_of_a_diff(bench: Bench) -> None:
    lived_in(bench)
    head = bench.repo.view.head.hex()
    rows = asked(bench, "SELECT path, unit, change, old, new FROM units_changed WHERE commit_id = ?", head)
    told = {
        (path, unit): (change, old and json.loads(old), new and json.loads(new))
        for path, unit, change, old, new in rows
    }
    expected = {
        (a.path, c.unit): (c.change, None if c.change == "added" else c.old, None if c.change == "removed" else c.new)
        for a in diff(bench.repo, "HEAD~1", "HEAD").artifacts
        for c in a.changes
    }
    assert told == expected
    assert told["config/pipeline.json", "impute"] == ("changed", "median", "-1")
    assert told["data/train.csv", "P1"] == ("changed", {"label": 0}, {"label": 1})
    counts = (
        "SELECT units_added, units_removed, units_changed, listed, note FROM changes WHERE commit_id = ? AND path = ?"
    )
    assert asked(bench, counts, head, "data/train.csv") == [(1, 0, 1, 1, None)]


def test_filled_bit_by_bit_or_at_once_it_says_the_same(bench: Bench) -> None:
    dump(bench.repo)
    promote(bench.repo, "prod", reason="first release")
    dump(bench.repo)
    undo(bench.repo)
    lived_in(bench)
    bit_by_bit = dump(bench.repo)
    forget(bench.root)
    assert dump(bench.reopen()) == bit_by_bit
    assert len(bit_by_bit["search"]) > 2


def test_what_is_undone_is_no_longer_said(bench: Bench) -> None:
    add_note(bench.repo, "HEAD", "zebra")
    assert asked(bench, "SELECT text FROM search('zebra')") == [("zebra",)]
    undo(bench.repo)
    assert asked(bench, "SELECT text FROM search('zebra')") == []
    assert asked(bench, "SELECT count(*) FROM facts") == [(0,)]
    undo(bench.repo, str(bench.repo.state.operation.number))  # undo of undo
    assert asked(bench, "SELECT text FROM notes") == [("zebra",)]


def test_a_commit_that_was_undone_stays_and_is_marked(bench: Bench) -> None:
    bench.write("config/pipeline.json", {"impute": "-1"})
    gone = bench.commit("not so good")
    undo(bench.repo)
    assert asked(bench, "SELECT reachable FROM commits WHERE id = ?", gone.hex()) == [(0,)]
    assert asked(bench, "SELECT count(*) FROM commits WHERE reachable") == [(1,)]


def test_nothing_is_read_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lived_in(bench)
    index_file(bench.repo)
    from mlver.repo.indexing.commits import CommitRows
    from mlver.repo.indexing.facts import FactRows
    from mlver.repo.indexing.units import UnitRows

    seen: list[str] = []
    for cls, name in ((CommitRows, "add"), (FactRows, "_add"), (UnitRows, "add")):
        real = getattr(cls, name)
        monkeypatch.setattr(
            cls, name, lambda self, id, real=real, name=f"{cls.__name__}": (seen.append(name), real(self, id))[1]
        )
    index_file(bench.reopen())
    assert seen == []
    bench.write("config/pipeline.json", {"impute": "mean"})
    bench.commit("mean")
    add_note(bench.repo, "HEAD", "one more")
    index_file(bench.reopen())
    assert sorted(seen) == ["CommitRows", "FactRows", "UnitRows"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"not a database" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(path.read_bytes()[:8192] + bytes(path.stat().st_size - 8192)),
        lambda path: path.write_bytes(b""),
        lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 77").connection.close(),
        lambda path: sqlite3.connect(path, isolation_level=None).execute(
            "UPDATE _state SET value = 'no' WHERE name = 'kinds'"
        ),
        lambda path: sqlite3.connect(path, isolation_level=None).execute("DROP TABLE commits"),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_a_damaged_or_outdated_index_is_made_anew_without_a_word(bench: Bench, harm: Any) -> None:
    lived_in(bench)
    before = dump(bench.repo)
    harm(bench.root / ".mlver" / "cache" / "index.db")
    repo = bench.reopen()
    assert asked(bench, "SELECT count(*) FROM commits") == [(3,)]
    assert asked(bench, "SELECT text FROM search('scanner') WHERE source = 'rule'")
    if (bench.root / ".mlver" / "cache" / "index.db").is_file():
        assert dump(repo) == before


def test_an_index_from_another_line_of_operations_is_made_anew(bench: Bench, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(bench.root, tmp_path / "other")
    add_note(bench.repo, "HEAD", "here")
    index_file(bench.repo)
    other = Bench(tmp_path / "other")
    add_note(other.repo, "HEAD", "there")
    shutil.copy(bench.root / ".mlver" / "cache" / "index.db", other.root / ".mlver" / "cache" / "index.db")
    assert asked(other, "SELECT text FROM notes") == [("there",)]


def test_where_no_file_can_be_written_the_answer_comes_from_memory(bench: Bench) -> None:
    index = bench.root / ".mlver" / "cache" / "index.db"
    index.unlink(missing_ok=True)
    index.symlink_to("/dev/full")  # a link is never followed
    assert asked(bench, "SELECT count(*) FROM commits") == [(1,)]
    assert asked(bench, "SELECT count(*) FROM search('v1')") == [(1,)]


def test_two_processes_fill_one_index(bench: Bench) -> None:
    for number in range(20):
        bench.write("config/pipeline.json", {"C": number})
        bench.commit(f"c{number}")
    script = (
        "import sys; from pathlib import Path; from mlver.repo.repository import Repository; "
        "from mlver.repo.history_index import ask_history; "
        "print(ask_history(Repository.open(Path(sys.argv[1])), 'SELECT count(*) FROM units_changed').rows[0][0])"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(bench.root)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate()[0].strip() for process in running]
    expected = str(asked(bench, "SELECT count(*) FROM units_changed")[0][0])
    assert answers == [expected, expected]
    assert asked(bench, "SELECT count(*) FROM commits") == [(21,)]


def test_only_questions_about_units_compare_artifacts(bench: Bench) -> None:
    asked(bench, "SELECT * FROM commits")
    db = sqlite3.connect(bench.root / ".mlver" / "cache" / "index.db")
    assert db.execute("SELECT count(*) FROM units_changed").fetchone() == (0,)
    asked(bench, "SELECT * FROM units_changed")
    assert db.execute("SELECT count(*) > 0 FROM units_changed").fetchone() == (1,)


def test_large_and_broken_artifacts_are_noted_and_long_values_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlver.repo.indexing import units

    monkeypatch.setattr(units, "LARGEST", 1 << 20)
    monkeypatch.setattr(units, "LISTED", 3)
    bench.write("data/big.csv", "id,v\n" + "".join(f"{n},{n}\n" for n in range(150_000)))
    bench.write("data/some.csv", "id,v\n" + "".join(f"{n},{n}\n" for n in range(10)))
    bench.write("config/long.json", {"text": "x" * 5000})
    bench.write("rules/broken.json", "[{")
    bench.commit("odd things")
    notes = dict(asked(bench, "SELECT path, note FROM changes WHERE note IS NOT NULL"))
    assert notes["data/big.csv"] == "larger than 1 MiB"
    assert "rules/broken.json" in notes
    assert asked(bench, "SELECT units_added, listed FROM changes WHERE path = 'data/some.csv'") == [(12, 0)]
    assert asked(bench, "SELECT count(*) FROM units_changed WHERE path = 'data/some.csv'") == [(3,)]
    [(new, cut)] = asked(bench, "SELECT new, cut FROM units_changed WHERE path = 'config/long.json'")
    assert cut == 1 and json.loads(new).startswith('"xxx') and len(new) < 1100
    assert asked(bench, "SELECT problem IS NOT NULL FROM artifacts WHERE path = 'rules/broken.json'") == [(1,)]


def test_a_broken_mlver_toml_of_the_past_stops_no_question(bench: Bench) -> None:
    bench.write("mlver.toml", '[[artifact]]\npath = "rules/*"\nkind = "rules"\n')
    bench.commit("fine")
    asked(bench, "SELECT 1 FROM units_changed")
    assert asked(bench, "SELECT count(*) FROM rules") == [(2,)]


def test_alerts_in_files_are_there_and_follow_head(bench: Bench) -> None:
    bench.write("alerts/history.jsonl", '{"id": "F1", "type": "psi", "at": "2024-03-01T00:00Z", "did": "nothing"}\n')
    bench.commit("alerts")
    assert asked(bench, "SELECT id, type, source FROM alerts") == [("F1", "psi", "file")]
    assert asked(bench, "SELECT about FROM search('psi')  WHERE source = 'alert'") == [("F1",)]
    bench.write("alerts/history.jsonl", '{"id": "F2", "type": "psi", "at": "2024-03-01T00:00Z"}\n')
    bench.commit("other alerts")
    assert asked(bench, "SELECT id FROM alerts") == [("F2",)]
    incremental = dump(bench.repo)
    forget(bench.root)
    assert dump(bench.reopen()) == incremental


STEPS = (
    "rules",
    "config",
    "data",
    "promote",
    "canary",
    "rollback",
    "note",
    "metric",
    "alert",
    "act",
    "undo",
    "branch",
    "index",
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sampled_from(STEPS), min_size=3, max_size=14))
def test_any_life_indexed_step_by_step_equals_one_indexed_at_the_end(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("life"))
    bench.write("rules/rules.json", [R1])
    bench.commit("v1")
    index_file(bench.repo)
    for number, step in enumerate(steps):
        _live(bench, step, number)
    step_by_step = dump(bench.repo)
    forget(bench.root)
    at_once = dump(bench.reopen())
    assert at_once == step_by_step
    ledger = [(e.stage, e.scope, e.live.commit.hex(), e.until and format_time(e.until)) for e in ledger_of(bench.repo)]
    assert asked(bench, "SELECT stage, scope, commit_id, until FROM deployments ORDER BY rowid") == ledger
    assert {CommitId.parse(row[0]) for row in asked(bench, "SELECT id FROM commits WHERE reachable")} == {
        commit.id for commit in log(bench.repo, every=True).commits
    }


def _live(bench: Bench, step: str, number: int) -> None:
    from mlver.errors import MlverError

    repo = bench.repo
    try:
        if step == "rules":
            bench.write("rules/rules.json", [R1, {"id": f"R{number}", "why": f"because {number}"}])
            bench.commit(f"rule {number}")
        elif step == "config":
            bench.write("config/c.json", {"C": number, "same": 1})
            bench.commit(trailers={"why": [f"why {number}"]})
        elif step == "data":
            bench.write("data/t.csv", "id,v\n" + "".join(f"{n},{n * number}\n" for n in range(number + 1)))
            bench.commit(f"data {number}")
        elif step in ("promote", "canary"):
            promote(
                repo,
                "prod" if step == "promote" else "canary",
                reason=f"reason {number}",
                scope="x=1" if number % 3 == 0 else "",
            )
        elif step == "rollback":
            rollback(repo, "prod", reason="bad")
        elif step == "note":
            add_note(repo, "HEAD", f"note {number} the clinic")
        elif step == "metric":
            add_metrics(repo, "HEAD", {"recall": number / 10})
        elif step == "alert":
            add_alert(repo, "psi", id=f"A{number % 4}", at=bench.clock() - timedelta(hours=number), summary="a drop")
        elif step == "act":
            act_on_alert(repo, f"A{number % 4}", did=f"looked {number}")
        elif step == "undo":
            undo(repo)
        elif step == "branch":
            set_ref(repo, "branch", f"b{number}")
            switch(repo, f"b{number}")
        else:
            index_file(repo)
    except MlverError:
        pass  # nothing to roll back, nothing changed, no such alert: then nothing happens


def test_an_alert_left_alone_is_open_whenever_it_is_indexed(bench: Bench) -> None:
    add_alert(bench.repo, "psi", id="A9", severity="warn", at=bench.clock() - timedelta(days=100))
    assert AlertBook(bench.repo).records()["A9"].state == "ignored"
    assert asked(bench, "SELECT state, actions FROM alerts") == [("open", 0)]
    assert asked(bench, "SELECT event FROM alert_events") == [("fired",)]


def test_values_of_other_windows_and_estimates_count_apart(bench: Bench) -> None:
    add_metrics(bench.repo, "HEAD", {"recall": 0.9}, window="7d")
    add_metrics(bench.repo, "HEAD", {"recall": 0.8}, window="1d")
    add_metrics(bench.repo, "HEAD", {"recall": 0.7}, window="1d", estimate=True)
    add_metrics(bench.repo, "HEAD", {"recall": 0.85}, window="1d")
    told = asked(bench, "SELECT window, estimate, value FROM latest_metrics ORDER BY value")
    assert told == [("1d", 1, 0.7), ("1d", 0, 0.85), ("7d", 0, 0.9)]
    shown = {(v.window, v.estimate, v.value) for v in newest(recorded_metrics(bench.repo, bench.repo.view.head))}
    assert shown == {(window, bool(estimate), value) for window, estimate, value in told}
