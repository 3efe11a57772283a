"""Old models measured with today's metric: bound to the old commits, nothing else touched, no failure costs another."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mlver.errors import UnknownRevision, UsageError
from mlver.objects.ids import CommitId
from mlver.verbs.backfill import BackfillResult, backfill_metrics
from mlver.verbs.metric_grid import metrics_matrix
from mlver.verbs.metrics import add_metrics, show_metrics
from mlver.verbs.slo import slo_history
from tests.kit import Bench
from tests.verbs.stages import Clinic

VAL = "data/val.csv"
# counts the rows whose label the "model" of the commit (a number in a file) predicts
EVALUATE = """
import json, pathlib, sys
model = pathlib.Path("models/model.joblib").read_text().strip()
if model == "hang":
    import time; time.sleep(600)
if model == "broken":
    sys.exit("the model is broken")
if model == "chatty":
    print("no json"); sys.exit()
print("evaluating", sys.argv[1])
rows = [line.split(",") for line in pathlib.Path(sys.argv[1]).read_text().split()[1:]]
extra = pathlib.Path("labels.csv")
bonus = float(extra.read_text()) if extra.exists() else 0
hits = [label == model for _, label in rows]
said = {"recall": sum(hits) / len(hits) + bonus, "n": len(hits), "note": "text", "slice=a": {"recall": 0.5, "ok": True}}
pathlib.Path(sys.argv[2]).write_text(json.dumps(said)) if len(sys.argv) > 2 else print(json.dumps(said))
"""
COMMAND = (sys.executable, "evaluate.py", "{data}")
ENVIRONMENT = {"PATH": os.environ["PATH"]}


class Models(Bench):
    """v1, v2, v3: three models; the validation data changed after v2."""

    def __init__(self, root: Path, third: str = "1\n") -> None:
        super().__init__(root)
        self.write("evaluate.py", EVALUATE)
        self.write(VAL, "id,label\n1,1\n2,1\n3,0\n4,0\n")
        self.ids: list[CommitId] = []
        for name, model in (("v1", "0"), ("v2", "1"), ("v3", third)):
            self.write("models/model.joblib", model)
            self.write("notes.txt", name)
            if name == "v3":
                self.write(VAL, "id,label\n1,1\n2,1\n3,1\n4,0\n")
            self.ids.append(self.commit(name))

    def fill(self, *metrics: str, command: tuple[str, ...] = COMMAND, **words: object) -> BackfillResult:
        words = {"on": VAL, "environment": ENVIRONMENT} | words
        return backfill_metrics(self.repo, metrics or ("recall",), command, **words)  # type: ignore[arg-type]

    def state(self) -> tuple[object, ...]:
        files = {p: p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file() and ".mlver" not in p.parts}
        return files, self.repo.refresh().branches, self.repo.view.head


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path / "w")


def told(result: BackfillResult) -> list[tuple[str, str]]:
    return [(row.subject, row.state) for row in result.rows]


def test_every_model_is_measured_on_the_data_named_and_the_values_are_the_old_commits(models: Models) -> None:
    before = models.state()
    result = models.fill("recall{}", "recall{slice=a}")
    assert [row.values["recall"] for row in result.rows] == [0.25, 0.75, 0.75]
    assert models.state() == before
    (whole, part) = show_metrics(models.reopen(), str(models.ids[0])).values
    assert (whole.value, whole.n, whole.dataset, part.value) == (0.25, 4, VAL, 0.5)
    assert whole.dataset_id == models.repo.head_snapshot()[VAL].id
    assert whole.command == f"{sys.executable} evaluate.py '{{data}}'"
    old = models.fill(on=f"{VAL}@{models.ids[0]}", revs=["HEAD"])
    assert old.rows[0].values["recall"] == 0.5


def test_what_was_measured_is_not_measured_again_unless_something_differs(models: Models) -> None:
    models.fill(revs=[f"{models.ids[0]}..HEAD"])
    assert told(models.fill()) == [("v1", "recorded"), ("v2", "done before"), ("v3", "done before")]
    count = len(list(models.repo.facts.of()))
    assert {row.state for row in models.fill().rows} == {"done before"}
    assert len(list(models.repo.facts.of())) == count
    assert {row.state for row in models.fill(again=True).rows} == {"recorded"}
    models.write("labels.csv", "0.125")
    more = models.fill(others=["labels.csv"])
    assert [row.values["recall"] for row in more.rows] == [0.375, 0.875, 0.875]
    assert {row.state for row in models.fill(others=["labels.csv"]).rows} == {"done before"}
    models.write("mlver.toml", '[metrics.recall]\nformula = "other"\n')
    assert {row.state for row in models.fill(dry_run=True).rows} == {"to do"}


def test_a_dry_run_says_the_cost_and_runs_nothing(models: Models) -> None:
    before = models.repo.state.id
    result = models.fill(dry_run=True, command=("no-such-program",))
    assert told(result) == [("v1", "to do"), ("v2", "to do"), ("v3", "to do")]
    assert all(row.bytes > len(EVALUATE) for row in result.rows)
    assert models.repo.refresh() and models.repo.state.id == before


@pytest.mark.parametrize(
    ("third", "words"),
    [
        ("broken", "the model is broken"),
        ("chatty", "it answered with no JSON object but 'no json'"),
        ("hang", "took longer than"),
    ],
)
def test_one_that_fails_does_not_lose_the_others(tmp_path: Path, third: str, words: str) -> None:
    models = Models(tmp_path / "w", third)
    before = models.state()
    result = models.fill(timeout=1.5 if third == "hang" else 60.0)
    assert told(result) == [("v1", "recorded"), ("v2", "recorded"), ("v3", "failed")] and result.failed
    assert words in str(result.rows[2].why)
    assert models.state() == before
    assert [len(show_metrics(models.repo, str(id)).values) for id in models.ids] == [2, 2, 0]


def test_a_metric_that_is_not_printed_is_a_failure_and_not_a_zero(models: Models) -> None:
    result = models.fill("recall", "precision", revs=["HEAD"])
    assert result.rows[0].state == "failed" and result.rows[0].why == "it printed no precision"
    assert show_metrics(models.repo).values == ()


def test_an_answer_may_be_a_file(models: Models) -> None:
    result = models.fill(command=(*COMMAND, "{out}"), revs=["HEAD"])
    assert result.rows[0].values == {"recall": 0.75, "recall{slice=a}": 0.5}


def test_the_dataset_may_lie_in_the_work_tree_alone(models: Models) -> None:
    models.write("data/new.csv", "id,label\n1,1\n")
    result = models.fill(on="data/new.csv", revs=["HEAD"])
    assert result.rows[0].values["recall"] == 1.0
    assert not models.repo.store.has(result.dataset_id)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"command": ()}, "no command"),
        ({"command": ("python", "{dta}")}, "unknown place {dta}"),
        ({"timeout": 0}, "time limit"),
        ({"on": "data/none.csv"}, "no dataset data/none.csv"),
        ({"revs": ["v9"]}, "v9"),
        ({"others": ["nothing.csv"]}, "nothing.csv"),
    ],
)
def test_what_could_work_with_no_commit_is_said_at_once(models: Models, words: dict[str, object], says: str) -> None:
    before = models.repo.state.id
    with pytest.raises((UsageError, UnknownRevision), match=says):
        models.fill(**words)  # type: ignore[arg-type]
    assert models.repo.refresh() and models.repo.state.id == before


def test_a_program_that_is_not_there_fails_each_commit_in_one_line(models: Models) -> None:
    result = models.fill(command=("./no-such-program", "{data}"))
    assert {row.state for row in result.rows} == {"failed"}
    assert "cannot run ./no-such-program" in str(result.rows[0].why)


def test_the_matrix_shows_models_by_versions_and_never_a_zero_for_nothing(models: Models) -> None:
    add_metrics(models.repo, str(models.ids[1]), {"recall": 0.5}, dataset=f"{VAL}@{models.ids[1]}")
    grid = metrics_matrix(models.repo, "recall")
    assert [(c.dataset, c.version) for c in grid.columns] == [(VAL, "v1"), (VAL, "v2")]
    assert [[(c.state, c.value) for c in row.cells] for row in grid.rows] == [
        [("not evaluated", None)] * 2,
        [("value", 0.5), ("not evaluated", None)],
        [("not evaluated", None)] * 2,
    ]
    models.fill()
    grid = metrics_matrix(models.repo, "recall", on=[VAL], revs=[str(models.ids[0])])
    assert [[c.value for c in row.cells] for row in grid.rows] == [[None, 0.25]]
    models.write("mlver.toml", '[metrics.recall]\nformula = "new"\n')
    models.fill(revs=["HEAD"])
    models.write("mlver.toml", '[metrics.recall]\nformula = "newer"\n')
    redefined = {row.subject: [c.redefined for c in row.cells] for row in metrics_matrix(models.repo, "recall").rows}
    assert redefined == {"v3": [False, True], "v2": [False, False], "v1": [False, False]}
    with pytest.raises(UnknownRevision, match="no dataset data/none"):
        metrics_matrix(models.repo, "recall", on=["data/none.csv"])


def test_what_a_model_would_have_done_keeps_no_promise_and_hides_no_broken_one(tmp_path: Path) -> None:
    bench = Clinic(tmp_path / "w")
    bench.write("mlver.toml", '[slo.triage]\nrequire = ["recall >= 0.9"]\n')
    bench.write("evaluate.py", 'import json; print(json.dumps({"recall": 0.95}))')
    first = bench.live("v1", "median", "R1", "first")
    bench.live("v2", "median", "R2", "good")
    bench.write("data/live.csv", "id\n1\n")
    for served, states in ((False, ["unknown", "unknown"]), (True, ["unknown", "met"])):
        backfill_metrics(
            bench.repo, ["recall"], (sys.executable, "evaluate.py"), on="data/live.csv", served=served,
            revs=[str(first)] if served else [],
        )  # fmt: skip
        assert [tenure.state for tenure in slo_history(bench.repo).tenures] == states
    add_metrics(bench.repo, "HEAD", {"recall": 0.1}, dataset="data/live.csv")
    backfill_metrics(bench.repo, ["recall"], (sys.executable, "evaluate.py"), on="data/live.csv", again=True)
    assert [tenure.state for tenure in slo_history(bench.repo).tenures] == ["broken", "met"]
