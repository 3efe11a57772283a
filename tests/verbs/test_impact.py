"""Impact: forward from bytes, a unit or a commit to models, releases and alerts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlver.errors import UnknownRevision
from mlver.objects.ids import CommitId
from mlver.repo.history import ancestors
from mlver.verbs.alerts import add_alert
from mlver.verbs.impact import ImpactResult, impact
from mlver.verbs.promote import promote
from mlver.verbs.rollback import rollback
from mlver.verbs.run import begin, record
from tests.kit import Bench

GOOD = "id,label\nP1,0\nP2,1\n"
BAD = "id,label\nP1,0\nP2,0\n"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2024-04-{text}").replace(tzinfo=UTC)


class Night:
    """The night at the clinic, small: a good release, flipped labels, a retrained one, an alert, a rollback."""

    def __init__(self, root: Path, *, runs: bool = True) -> None:
        self.bench = Bench(root)
        self.runs = runs
        self.bench.write("config/pipeline.json", {"C": 1, "impute": "median"})
        self.bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
        self.bench.write("data/other.csv", "id\nX1\n")
        self.train("m1", GOOD)
        self.step("data/other.csv", "models/other.joblib", "o1")
        self.good = self.at("01T09:00", "v2")
        promote(self.bench.repo, "prod", reason="good")
        self.bench.write("data/train.csv", BAD)
        self.labels = self.at("19T12:00", "week 2", by="temp-07")
        self.train("m2", BAD)
        self.nightly = self.at("22T01:58", "nightly", by="cron")
        promote(self.bench.repo, "prod", reason="gate passed")
        self.bench.clock.moment = moment("22T03:05")
        add_alert(self.bench.repo, "flag_rate_drop", id="A0088", severity="page")
        self.bench.clock.moment = moment("22T03:08")
        rollback(self.bench.repo, "prod", to=str(self.good), reason="A0088")

    def at(self, when: str, message: str, by: str = "ana") -> CommitId:
        self.bench.clock.moment = moment(when)
        return self.bench.commit(message, by=by)

    def train(self, model: str, data: str) -> None:
        self.bench.write("data/train.csv", data)
        self.step("data/train.csv", "models/triage.joblib", model)

    def step(self, source: str, output: str, content: str) -> None:
        before = begin(self.bench.repo)
        self.bench.write(output, content)
        if self.runs:
            record(self.bench.repo, before, command=("make", output), inputs=[source], outputs=[output])


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def affected(result: ImpactResult) -> list[tuple[str, int, str]]:
    return [(one.path, one.steps, one.source) for one in result.affected]


def intervals(result: ImpactResult) -> list[tuple[str, str, str | None]]:
    def clock(moment: datetime | None) -> str | None:
        return f"{moment:%d %H:%M}" if moment else None

    return [(one.stage, clock(one.since) or "", clock(one.until)) for one in result.served]


def test_bad_data_leads_to_the_one_model_its_release_and_the_alert(night: Night) -> None:
    result = impact(night.bench.repo, f"data/train.csv@{night.labels}")
    assert affected(result) == [("models/triage.joblib", 1, "run")]
    assert result.affected[0].commit == night.nightly
    assert result.commits == (night.nightly, night.labels)
    ((stage, since, until),) = intervals(result)
    assert (stage, since[:3], until and until[:3]) == ("prod", "22 ", "22 ")
    assert result.served[0].commit == night.nightly
    assert result.served[0].paths == ("models/triage.joblib",)
    assert (result.served[0].actor, result.served[0].reason) == ("cron", "gate passed")
    assert result.alerts == ("A0088",)


def test_good_data_was_served_before_and_after(night: Night) -> None:
    result = impact(night.bench.repo, f"data/train.csv@{night.good}")
    assert [one.commit for one in result.served] == [night.good, night.good]
    assert result.served[0].until is not None
    assert result.served[1].until is None
    assert result.alerts == ()


def test_a_stage_at_a_time_tells_what_it_served_and_how_long(night: Night) -> None:
    result = impact(night.bench.repo, "prod@{2024-04-22T02:30}")
    assert result.commits == (night.nightly,)
    assert affected(result) == [("models/triage.joblib", 0, "commit")]
    assert [one.commit for one in result.served] == [night.nightly]
    assert result.served[0].until is not None
    assert result.alerts == ("A0088",)


def test_a_commit_leads_to_what_was_made_of_what_it_changed(night: Night) -> None:
    result = impact(night.bench.repo, str(night.labels))
    assert affected(result) == [("data/train.csv", 0, "commit"), ("models/triage.joblib", 1, "run")]
    assert [one.commit for one in result.served] == [night.nightly]


def test_a_row_leads_to_every_model_that_saw_it_as_it_was(night: Night) -> None:
    repo = night.bench.repo
    both = impact(repo, "data/train.csv#P1")
    assert [one.commit for one in both.affected] == [night.good, night.nightly]
    assert set(both.commits) == set(ancestors(repo, [night.nightly]))
    flipped = impact(repo, f"data/train.csv@{night.labels}#P2")
    assert [one.commit for one in flipped.affected] == [night.nightly]
    assert flipped.commits == (night.nightly, night.labels)


def test_a_rule_is_served_itself(night: Night) -> None:
    result = impact(night.bench.repo, "rules/rules.json#R1")
    assert affected(result) == []
    assert [one.paths for one in result.served] == [("rules/rules.json",)] * 3
    assert impact(night.bench.repo, "data/other.csv").served[0].paths == ("models/other.joblib",)


def test_without_recorded_runs_models_are_assumed_to_come_from_all_there_was(tmp_path: Path) -> None:
    night = Night(tmp_path, runs=False)
    result = impact(night.bench.repo, f"data/train.csv@{night.labels}")
    assert affected(result) == [("models/triage.joblib", 1, "assumed")]
    assert [one.commit for one in result.served] == [night.nightly]
    other = impact(night.bench.repo, "data/other.csv")
    assert {one.commit for one in other.affected} == {night.good, night.nightly}


def test_effects_are_followed_over_several_steps(night: Night) -> None:
    night.step("models/triage.joblib", "models/small.joblib", "s1")
    night.at("23T00:00", "distilled")
    found = affected(impact(night.bench.repo, f"data/train.csv@{night.labels}"))
    assert found == [("models/triage.joblib", 1, "run"), ("models/small.joblib", 2, "run")]


def test_what_is_not_there_is_named(night: Night) -> None:
    for target in ("data/none.csv", "rules/rules.json#R9", "data/train.csv@nowhere"):
        with pytest.raises(UnknownRevision):
            impact(night.bench.repo, target)
    night.bench.write("rules/rules.json", "{broken")
    night.at("24T00:00", "broken rules")
    with pytest.raises(UnknownRevision, match="cannot be read as rules"):
        impact(night.bench.repo, "rules/rules.json#R1")
