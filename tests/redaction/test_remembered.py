"""What caches remember of bytes that are redacted is neither told nor kept, wherever the redaction came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.repo.outdated import Outdated
from mlver.repo.repository import Repository
from mlver.verbs.alert_lists import list_alerts
from mlver.verbs.alert_stats import alert_stats
from mlver.verbs.clone import clone
from mlver.verbs.diff import diff
from mlver.verbs.fetch import fetch
from mlver.verbs.handover import handover
from mlver.verbs.oncall_guide import oncall_guide
from mlver.verbs.query import query
from mlver.verbs.redact import finish_redactions, redact
from mlver.verbs.search import search
from mlver.verbs.status import status
from tests.kit import Bench
from tests.redaction.world import holds

NAME = "Quuxworth"
SECRET = NAME.encode()
FILE, CONFIG, TABLE, LARGE = "alerts/history.jsonl", "config/who.json", "data/t.csv", "data/large.csv"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The name in a file of alerts, a config, a small table, and one that is large enough for its diff to be kept."""
    made = Bench(tmp_path / "w")
    alert = {"id": "A1", "type": "psi.x", "at": "2024-03-20T04:54:00", "outcome": "acted", "by": "eve", "action": NAME}
    made.write(FILE, json.dumps(alert) + "\n")
    rows = [f"{i},{i * 7},some words to make it long enough {i}" for i in range(24_000)]
    for number in ("1", "2"):
        made.write(CONFIG, {"who": f"{NAME} {number}"})
        made.write(TABLE, f"id,v\n1,{number}\n7,{NAME} {number}\n")
        made.write(LARGE, "\n".join(["id,v,w", f"-1,1,{NAME} {number}", *rows]) + "\n")
        made.commit(number)
    return made


def told(repo: Repository) -> list[str]:
    """Return which of the questions that are answered from caches name what must not be named."""
    answers: dict[str, Callable[[], object]] = {
        "query": lambda: query(repo, "SELECT * FROM units_changed"),
        "alert_events": lambda: query(repo, "SELECT * FROM alert_events"),
        "search": lambda: search(repo, NAME).hits,
        "alerts": lambda: list_alerts(repo),
        "stats": lambda: alert_stats(repo),
        "diff": lambda: diff(repo, "HEAD~1", "HEAD"),
        "status": lambda: status(repo),
        "oncall": lambda: oncall_guide(repo),
        "handover": lambda: handover(repo),
    }
    return [name for name, ask in answers.items() if NAME in repr(ask())]


def remove(repo: Repository, *, rows: bool) -> None:
    if rows:
        redact(repo, [LARGE], "asked", rows="id = -1")
        redact(repo, [TABLE], "asked", rows="id = 7")
        redact(repo, [FILE, CONFIG], "asked")
    else:
        redact(repo, [FILE, CONFIG, TABLE, LARGE], "asked")


@pytest.mark.parametrize("rows", [False, True])
def test_no_cache_keeps_it_where_it_was_redacted(bench: Bench, rows: bool) -> None:
    assert {"query", "search", "alerts", "diff"} <= set(told(bench.repo))
    assert "cache/facts.db" in holds(bench.root / ".mlver", SECRET)
    remove(bench.repo, rows=rows)
    assert holds(bench.root / ".mlver", SECRET) == []
    assert told(bench.repo) == []
    assert holds(bench.root / ".mlver", SECRET) == []


@pytest.mark.parametrize("rows", [False, True])
def test_no_question_is_answered_from_what_a_clone_remembers(bench: Bench, tmp_path: Path, rows: bool) -> None:
    clone(bench.root, tmp_path / "c", actor="ben", clock=bench.clock)
    with Repository.open(tmp_path / "c", actor="ben", clock=bench.clock) as there:
        assert {"query", "search", "alerts", "diff"} <= set(told(there))
        remove(bench.repo, rows=rows)
        fetch(there, "origin")
        assert told(there) == []
        finish_redactions(there)
        assert told(there) == [] and holds(there.dot, SECRET) == []


def test_alerts_are_read_on_without_a_file_that_is_gone_and_it_is_named(bench: Bench) -> None:
    redact(bench.repo, [FILE], "asked")
    listed = list_alerts(bench.repo)
    assert listed.alerts == ()
    (why,) = listed.unread
    assert why.startswith(f"no alert was read: {FILE} (") and "was redacted by ana" in why


def test_what_was_worked_out_from_it_is_outdated_without_saying_how(bench: Bench) -> None:
    first = bench.repo.snapshot(bench.repo.resolve("HEAD~1"))[CONFIG].id
    outdated = Outdated(bench.repo, bench.repo.head_snapshot())
    assert NAME in repr(outdated.moved({CONFIG: first}))
    redact(bench.repo, [CONFIG], "asked")
    (moved,) = Outdated(bench.repo, bench.repo.head_snapshot()).moved({CONFIG: first})
    assert (moved.path, moved.units) == (CONFIG, ())
