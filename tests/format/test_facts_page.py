"""What docs/spec/facts.md says of facts is what is recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from blake3 import blake3

from mlver.objects.state import Fact
from mlver.objects.time import parse_time
from mlver.repo.alert_facts import CRITICAL, OUTCOMES
from mlver.verbs.alerts import act_on_alert, add_alert, import_alerts
from mlver.verbs.backfill import backfill_metrics
from mlver.verbs.metrics import add_metrics
from mlver.verbs.mutes import mute_alerts, unmute_alerts
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from tests.kit import Bench

PAGE = (Path(__file__).parents[2] / "docs" / "spec" / "facts.md").read_text()
LABELS = parse_time("2024-03-01")


def section(title: str) -> str:
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]


def fields(title: str) -> set[str]:
    """The names in the first column of a section's table of body fields."""
    return set(re.findall(r"^\| `(\w+)` \|", section(title), re.MULTILINE))


def lived(tmp_path: Path) -> Bench:
    """A repository in which every kind of fact was recorded, with every field it can have."""
    bench = Bench(tmp_path / "project")
    bench.write("data/train.csv", "id,x\n1,2\n")
    commit = bench.commit("v1")
    promote(bench.repo, "prod", scope="clinic=C")
    add_metrics(
        bench.repo, "HEAD", {"recall": float("nan"), "accuracy": None},
        slice="b=2, a=1", dataset="data/train.csv", n=8, as_of=LABELS, window="7d", estimate=True,
    )  # fmt: skip
    bench.write("mlver.toml", '[metrics.loss]\nformula = "log"\n[slices.young]\nwhere = "age < 30"\n')
    bench.write("labels.csv", "id,y\n1,1\n")
    program = ("python3", "-c", 'print(\'{"loss": 1, "young": {"loss": 2}}\')')
    backfill_metrics(
        bench.repo, ["loss"], program, on="data/train.csv", others=["labels.csv"], revs=["HEAD"], served=True
    )
    add_alert(bench.repo, "drop", id="A1", severity="PAGE", summary="low", scope="clinic=C")
    act_on_alert(bench.repo, "A1", did="looked", ticket="T-1", commit=str(commit), reason="low indeed")
    mute_alerts(bench.repo, "drop", for_=timedelta(hours=1), reason="known")
    unmute_alerts(bench.repo, "drop", reason="over")
    bench.write("alerts.json", [{"id": "A2", "type": "drop", "at": "2024-01-02", "outcome": "acted", "host": "a"}])
    import_alerts(bench.repo, bench.root / "alerts.json")
    add_note(bench.repo, "data/train.csv#1", "odd", ticket="T-2")
    add_note(bench.repo, "HEAD", "misses", mark="bad", ticket="T-3")
    return bench


def recorded(bench: Bench) -> list[Fact]:
    return list(bench.repo.facts.of())


def one(facts: list[Fact], type: str, **wanted: Any) -> Fact:
    (found,) = [
        f
        for f in facts
        if f.type == type and all(f.subject.get(k) == v or f.body.get(k) == v for k, v in wanted.items())
    ]
    return found


def test_every_type_and_every_field_is_on_the_page(tmp_path: Path) -> None:
    facts = recorded(lived(tmp_path))
    types = {fact.type for fact in facts}
    assert types == {"metric", "alert", "action", "mute", "unmute", "note", "mark"}
    for type in types:
        bodies: set[str] = {name for fact in facts if fact.type == type for name in fact.body}
        assert bodies == fields(type)
    subjects = {name for fact in facts for name in fact.subject}
    assert subjects == {"commit", "path", "unit", "stage", "scope", "alert"} <= fields("A fact")


def test_values_are_written_as_the_page_says(tmp_path: Path) -> None:
    bench = lived(tmp_path)
    facts, commit = recorded(bench), bench.repo.resolve("HEAD").hex()
    recall, accuracy = one(facts, "metric", name="recall"), one(facts, "metric", name="accuracy")
    assert (recall.body["value"], accuracy.body["value"], recall.body["slice"]) == ("NaN", None, "a=1,b=2")
    assert recall.body["dataset_id"] == bench.repo.snapshot(bench.repo.resolve("HEAD"))["data/train.csv"].id.hex()
    assert recall.at == LABELS < recall.known
    assert recall.subject == {"commit": commit}
    loss = [fact for fact in facts if fact.body.get("name") == "loss"]
    for fact, slices in zip(loss, ({}, {"slice young": "age < 30"}), strict=True):
        meaning = json.dumps({"formula": "log", "name": "loss", **slices}, separators=(",", ":"), sort_keys=True)
        id = blake3(meaning.encode(), derive_key_context="mlver 1 metric definition").hexdigest()
        assert fact.body["definition"] == id
        assert fact.body["inputs"] == {"labels.csv": blake3(b"id,y\n1,1\n").hexdigest()}
    fired = one(facts, "alert", alert="A1")
    assert fired.subject == {"alert": "A1", "stage": "prod", "scope": "clinic=C", "commit": commit}
    assert fired.body == {"type": "drop", "severity": "page", "summary": "low"}
    assert "commit" not in one(facts, "alert", alert="A2").subject, "nothing was live in January"
    assert one(facts, "action", alert="A2").body["by"] is None
    assert "by" not in one(facts, "action", alert="A1").body
    assert one(facts, "note").subject == {"path": "data/train.csv", "unit": "1"}
    assert one(facts, "mark").subject == {"commit": commit}


def test_the_words_of_the_page_are_those_of_the_code() -> None:
    for word in OUTCOMES:
        assert f"`{word}`" in section("action")
    listed = re.search(r"severity is (.*?)\.\n", section("alert"), re.DOTALL)[1]
    assert set(re.findall(r"`(\w+)`", listed)) == CRITICAL


def test_as_of_a_moment_only_what_was_known_counts(tmp_path: Path) -> None:
    bench = lived(tmp_path)
    known: Mapping[str, datetime] = {fact.type: fact.known for fact in recorded(bench)}
    before = {fact.type for fact in bench.repo.facts.of(as_of=known["note"])}
    assert before == {"metric", "alert", "action", "mute", "unmute", "note"}
