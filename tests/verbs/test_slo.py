"""Objectives: met, broken and unknown, as known now and as known then."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from mlver.errors import UnknownRevision, UsageError
from mlver.objects.ids import CommitId
from mlver.verbs.metrics import add_metrics
from mlver.verbs.promote import promote
from mlver.verbs.rollback import rollback
from mlver.verbs.slo import check_slos, slo_history
from mlver.verbs.status import status
from tests.kit import Bench

SLO = '[slo.triage]\nrequire = ["recall{clinic=C} >= 0.9", "recall{*} >= 0.9"]\nstage = "prod"\n'
LIVE = "data/live/w3.csv"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Night(Bench):
    """v2 live, the nightly release live for an hour, v2 again: played once, and copied."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.like(_played())

    def play(self) -> None:
        self.write("mlver.toml", SLO)
        self.write("data/val/static.csv", "id,label\n1,0\n")
        self.write("config/pipeline.json", {"impute": "median"})
        self.clock.moment = at("2024-04-01T14:00")
        self.v2 = self.commit("v2")
        self.measure(self.v2, {"recall{clinic=C}": 1.0, "recall{clinic=A}": 1.0}, "data/val/static.csv")
        self.clock.moment = at("2024-04-01T16:00")
        promote(self.repo, "prod")
        self.write("config/pipeline.json", {"impute": "-1"})
        self.clock.moment = at("2024-04-22T01:50")
        self.bad = self.commit("nightly")
        self.measure(self.bad, {"recall{clinic=C}": 0.95}, "data/val/static.csv")
        self.clock.moment = at("2024-04-22T01:59")
        promote(self.repo, "prod")
        self.since = self.repo.state.operation.time
        self.clock.moment = at("2024-04-22T03:09")
        rollback(self.repo, "prod", reason="A0088")
        self.until = self.repo.state.operation.time
        self.write(LIVE, "id,clinic\n1,C\n")

    def measure(self, commit: CommitId, values: dict[str, float], dataset: str | None, **words: object) -> None:
        add_metrics(self.repo, str(commit), values, dataset=dataset, **words)  # type: ignore[arg-type]

    def labels_arrive(self) -> None:
        for day, value, n in (("2024-05-06", 0.0, 3), ("2024-05-08", 0.2, 5), ("2024-05-13", 0.375, 8)):
            self.clock.moment = at(f"{day}T12:00")
            self.measure(self.bad, {"recall{clinic=C}": value}, LIVE, n=n)


class Played(Night):
    def __init__(self, root: Path) -> None:
        Bench.__init__(self, root)
        self.play()
        self.repo.close()


@cache
def _played() -> Played:
    folder = tempfile.mkdtemp(prefix="night-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Played(Path(folder))


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def states(bench: Bench, as_of: datetime | None = None) -> list[tuple[str, str]]:
    return [(tenure.subject, tenure.state) for tenure in slo_history(bench.repo, as_of=as_of).tenures]


def test_what_was_measured_on_validation_data_of_the_release_is_no_promise_kept(night: Night) -> None:
    assert states(night) == [("v2", "unknown"), ("nightly", "unknown"), ("v2", "unknown")]
    found = check_slos(night.repo)
    assert not found.broken
    assert "no live value, only on data/val/static.csv" in found.slos[0].live[0].why


def test_labels_that_arrive_break_the_past_and_name_the_commit(night: Night) -> None:
    night.labels_arrive()
    assert states(night) == [("v2", "unknown"), ("nightly", "broken"), ("v2", "unknown")]
    (broken,) = check_slos(night.repo).past
    assert broken.commit == night.bad and broken.retroactive and broken.at_the_time == "unknown"
    assert (broken.since, broken.until) == (night.since, night.until)
    assert broken.learned is not None and broken.learned.date() == at("2024-05-06").date()
    assert broken.why.startswith("recall{clinic=C} 0.375, not >= 0.9")
    assert not check_slos(night.repo).broken, "it is live no more"


def test_as_of_the_night_it_is_still_unknown(night: Night) -> None:
    night.labels_arrive()
    then = slo_history(night.repo, as_of=at("2024-04-22T03:07")).tenures
    assert [(t.subject, t.state, t.until) for t in then] == [
        ("nightly", "unknown", None),
        ("v2", "unknown", night.since),
    ]
    assert states(night, at("2024-05-07"))[1] == ("nightly", "broken")


def test_met_needs_every_slice_that_was_ever_measured(night: Night) -> None:
    night.measure(night.v2, {"recall{clinic=C}": 1.0}, LIVE)
    assert states(night)[0] == ("v2", "unknown"), "clinic A has no labels yet"
    night.measure(night.v2, {"recall{clinic=A}": 0.97}, LIVE)
    assert states(night)[0] == ("v2", "met")
    night.measure(night.v2, {"recall{clinic=A}": 0.5}, LIVE)
    found = check_slos(night.repo)
    assert found.broken and found.slos[0].state == "broken"
    assert [line.state for line in status(night.repo).slos] == ["broken"]


def test_an_estimate_keeps_no_promise(night: Night) -> None:
    night.measure(night.v2, {"recall{clinic=C}": 1.0, "recall{clinic=A}": 1.0}, LIVE, estimate=True)
    assert states(night)[0] == ("v2", "unknown")


def test_an_objective_may_name_the_datasets_that_tell(night: Night) -> None:
    night.write("mlver.toml", SLO + 'on = "data/val/*"\n')
    assert states(night) == [("v2", "met"), ("nightly", "unknown"), ("v2", "met")]
    night.write("mlver.toml", '[slo.one]\nrequire = "recall{clinic=C} >= 0.9 on data/val/static.csv"\n')
    assert states(night) == [("v2", "met"), ("nightly", "met"), ("v2", "met")]


def test_a_scope_is_judged_by_its_own_slices(night: Night) -> None:
    promote(night.repo, "prod", str(night.bad), scope="clinic=A")
    night.labels_arrive()
    found = {t.scope: {v.condition for v in t.verdicts} for t in check_slos(night.repo).slos[0].live}
    assert found == {"clinic=A": {"recall{*} >= 0.9"}, "": {"recall{*} >= 0.9", "recall{clinic=C} >= 0.9"}}


def test_an_unknown_metric_is_never_met(night: Night) -> None:
    night.write("mlver.toml", '[slo.x]\nrequire = ["recal >= 0.1"]\n')
    assert states(night)[0][1] == "unknown"
    assert check_slos(night.repo).slos[0].live[0].why == "recal never measured"


def test_nothing_live_is_unknown(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("mlver.toml", SLO)
    bench.commit("v1")
    assert [slo.state for slo in check_slos(bench.repo).slos] == ["unknown"]
    assert slo_history(bench.repo).tenures == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[slo.a]\n", r"mlver\.toml:1: slo\.a\.require"),
        ("\n[slo.a]\nrequire = 3\n", r"mlver\.toml:2: slo\.a\.require"),
        ('[slo.a]\nrequire = ["recall > high"]\n', r"mlver\.toml:1: slo\.a\.require: not a condition"),
        ('[slo.a]\nrequire = ["recall > baseline"]\n', "baseline"),
        ('[slo.a]\nrequire = ["recall > 1"]\nstages = "prod"\n', "unknown entry 'stages'"),
    ],
)
def test_a_malformed_objective_is_named_by_file_and_line(night: Night, text: str, words: str) -> None:
    night.write("mlver.toml", text)
    with pytest.raises(UsageError, match=words):
        check_slos(night.repo)
    assert [line.state for line in status(night.repo).slos] == ["unknown"], "status still answers"


def test_a_name_that_is_none_is_told(night: Night) -> None:
    with pytest.raises(UnknownRevision, match="no objective 'triag'"):
        check_slos(night.repo, ["triag"])
