"""Experiments: nobody declares them, mlver says what varied, what came of it, what was not tried."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from mlver.errors import UnknownRevision, UsageError
from mlver.verbs.branch import switch
from mlver.verbs.exp_best import best_experiments
from mlver.verbs.exp_describe import describe_experiment, give_verdict
from mlver.verbs.exp_frontier import frontier
from mlver.verbs.exp_list import list_experiments, list_ideas
from mlver.verbs.exp_stats import experiment_stats
from mlver.verbs.merge import merge
from mlver.verbs.metrics import add_metrics
from mlver.verbs.promote import promote
from mlver.verbs.search import search
from tests.kit import Bench
from tests.verbs.experiments import DATA, attempt, branch, measure, started


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return started(tmp_path / "w")


def test_commits_that_brought_a_model_off_the_main_line_are_experiments(bench: Bench) -> None:
    first = attempt(bench, {"C": 10.0})
    bench.write("notes.txt", "no model\n")
    bench.commit()
    second = attempt(bench, {"C": 0.1})
    found = list_experiments(bench.repo).experiments
    assert [one.commit for one in found] == [second, first]
    assert {(one.idea, one.branch) for one in found} == {("grid", "exp/grid")}


def test_a_commit_with_metrics_is_an_experiment_and_main_is_none(bench: Bench) -> None:
    bench.write("config/pipeline.json", {"C": 5.0})
    id = bench.commit()
    assert list_experiments(bench.repo).experiments == ()
    measure(bench, {"recall": 0.91})
    assert [one.commit for one in list_experiments(bench.repo).experiments] == [id]
    switch(bench.repo, "main")
    bench.write("models/model.json", {"coef": [2.0]})
    bench.commit()
    assert len(list_experiments(bench.repo).experiments) == 1


def test_of_branches_upon_branches_each_commit_belongs_to_its_own(bench: Bench) -> None:
    attempt(bench, {"C": 10.0})
    branch(bench, "exp/deeper")
    attempt(bench, {"C": 10.0, "impute": "mean"}, trailers={})
    assert [(one.idea, one.varied) for one in list_experiments(bench.repo).experiments] == [
        ("deeper", "C 1.0 -> 10.0; impute median -> mean"),
        ("grid", "C 1.0 -> 10.0"),
    ]
    assert len(list_experiments(bench.repo, on="exp/deeper").experiments) == 1
    with pytest.raises(UnknownRevision, match="no branch exp/none"):
        list_experiments(bench.repo, on="exp/none")


def test_merged_experiments_stay_experiments_and_their_base(bench: Bench) -> None:
    base = bench.repo.view.branches["main"]
    attempt(bench, {"C": 10.0}, {"recall": 0.8})
    last = attempt(bench, {"C": 0.1}, {"recall": 0.95})
    switch(bench.repo, "main")
    merge(bench.repo, "exp/grid")  # a fast-forward
    found = list_experiments(bench.repo).experiments
    assert [(one.base, one.outcome) for one in found] == [(base, "won"), (base, "lost")]
    stats = experiment_stats(bench.repo)
    assert (stats.merged, stats.promoted, stats.share_used) == (1, 0, 0.5)
    promote(bench.repo, "prod", str(last), reason="it won")
    assert experiment_stats(bench.repo).promoted == 1


def test_a_failed_run_without_a_word_is_described(bench: Bench) -> None:
    id = attempt(bench, {"C": 10.0}, {"recall": 0.91, "recall{clinic=C}": 0.2})
    found = describe_experiment(bench.repo, str(id))
    assert [(one.kind, one.changes) for one in found.variation.varied] == [("config", ("C 1.0 -> 10.0",))]
    assert found.variation.fixed == ("data", "rules", "code", "env")
    assert found.variation.models == ("models/model.json",)
    assert [(one.name, one.slice, round(one.delta or 0, 3)) for one in found.worse] == [("recall", "clinic=C", -0.6)]
    assert [one.name for one in found.better] == ["recall"]
    assert (found.outcome, found.base_subject) == ("mixed", "v1")
    assert found.text == (
        "Varied: config: C 1.0 -> 10.0.\nFixed: data, rules, code, env.\n"
        "Got worse: recall{clinic=C} 0.8 -> 0.2 (-0.6).\nGot better: recall 0.9 -> 0.91 (+0.01).\nOutcome: mixed."
    )
    assert describe_experiment(bench.repo, str(id)) == found


def test_two_runs_that_differ_in_data_only_say_so(bench: Bench) -> None:
    bench.write("data/train.csv", DATA + "P3,3.5,1\nP4,4.5,0\n")
    bench.write("models/model.json", {"coef": [7.0]})
    found = describe_experiment(bench.repo, str(bench.commit()))
    assert [(one.kind, one.changes) for one in found.variation.varied] == [("data", ("train.csv +2 rows",))]
    assert found.variation.fixed == ("config", "rules", "code", "env")


def test_values_on_other_data_leave_the_outcome_unknown(bench: Bench) -> None:
    bench.write("data/train.csv", DATA + "P3,3.5,1\n")
    bench.write("models/model.json", {"coef": [7.0]})
    bench.commit()
    measure(bench, {"recall": 0.99})
    found = describe_experiment(bench.repo)
    assert found.outcome == "unknown"
    assert "data/train.csv differs (v1 vs v2)" in (found.why or "")


def test_what_was_not_measured_is_unknown_and_says_why(bench: Bench) -> None:
    attempt(bench, {"C": 10.0})
    assert (describe_experiment(bench.repo).outcome, describe_experiment(bench.repo).why) == (
        "unknown",
        "it was not measured",
    )


def test_a_seed_is_told_apart_from_the_settings(bench: Bench) -> None:
    attempt(bench, {"seed": 7}, parameters={"epochs": 3})
    varied = {one.kind: one.changes for one in describe_experiment(bench.repo).variation.varied}
    assert varied == {"config": ("+seed 7",), "parameters": ("epochs 3",)} or varied["parameters"] == ("epochs 3",)
    attempt(bench, {"seed": 8}, parameters={"epochs": 3})
    found = describe_experiment(bench.repo, base="HEAD~1").variation
    assert [(one.kind, one.changes) for one in found.varied] == [("seed", ("seed 7 -> 8",))]


def test_a_persons_verdict_counts_before_the_metrics(bench: Bench) -> None:
    id = attempt(bench, {"C": 10.0}, {"recall": 0.95})
    assert list_experiments(bench.repo, outcomes=["won"]).experiments[0].commit == id
    said = give_verdict(bench.repo, str(id), "abandoned", reason="the scanner is being replaced")
    assert (said.outcome, said.computed) == ("abandoned", "won")
    assert "Outcome: abandoned, says ana: the scanner is being replaced." in said.text
    listed = list_experiments(bench.repo)
    assert (listed.experiments, listed.hidden) == ((), 1)
    assert list_experiments(bench.repo, every=True).experiments[0].reason == "the scanner is being replaced"
    assert give_verdict(bench.repo, str(id), "lost").outcome == "lost"
    with pytest.raises(UsageError, match="not a verdict: 'great'"):
        give_verdict(bench.repo, str(id), "great")


def test_failed_experiments_stay_searchable_by_what_was_varied_and_why_they_ended(bench: Bench) -> None:
    id = attempt(bench, {"impute": "nearest"}, {"recall": 0.5})
    give_verdict(bench.repo, str(id), "abandoned", reason="too slow for the ward")
    assert [hit.commit for hit in search(bench.repo, "nearest").hits] == [id]
    assert id in [hit.commit for hit in search(bench.repo, "ward").hits]


def test_sixty_runs_of_five_ideas_are_five_lines(bench: Bench) -> None:
    for n in range(60):
        attempt(bench, {"C": float(n + 2)}, {"recall": 0.9 + (n - 58) / 1000}, trailers={"idea": [f"idea {n % 5}"]})
    ideas = list_ideas(bench.repo).ideas
    assert [idea.experiments for idea in ideas] == [12] * 5
    assert {idea.idea: idea.outcome for idea in ideas} == {
        "idea 0": "lost", "idea 1": "lost", "idea 2": "lost", "idea 3": "same", "idea 4": "won",
    }  # fmt: skip
    assert len(list_experiments(bench.repo, idea="idea 3").experiments) == 12


def test_twelve_runs_on_a_four_by_four_grid_leave_exactly_four_cells(bench: Bench) -> None:
    grid = list(product((0.1, 1.0, 10.0, 100.0), ("median", "mean", "-1", "knn")))
    untried = {(0.1, "knn"), (1.0, "median"), (10.0, "-1"), (100.0, "mean")}
    for n, (c, impute) in enumerate(cell for cell in grid if cell not in untried):
        attempt(bench, {"C": c, "impute": impute, "seed": n}, {"recall": 0.8 + n / 1000}, parameters={"C": c})
    found = frontier(bench.repo, ["recall"])
    assert (found.experiments, found.cells, found.untried) == (12, 16, 4)
    cells = {(float(cell.settings["C"]), cell.settings["impute"]) for cell in found.cells_listed}
    assert cells == untried
    assert [cell.main for cell in found.cells_listed].count(True) == 1  # what main has: 1.0, median
    assert [(axis.name, axis.values) for axis in found.axes if axis.name == "C"] == [
        ("C", ("0.1", "1.0", "10.0", "100.0"))
    ]
    assert found.best[0].values == {"recall": 0.811}


def test_the_front_holds_what_is_beaten_in_all_metrics_by_none(bench: Bench) -> None:
    values = [(0.9, 30), (0.95, 50), (0.94, 60), (0.8, 20), (0.79, 25)]
    ids = [attempt(bench, {"C": n + 2.0}, {"recall": r, "latency": t}) for n, (r, t) in enumerate(values)]
    front = {one.commit for one in frontier(bench.repo, ["recall", "latency"]).best}
    assert front == {ids[0], ids[1], ids[3]}


def test_columns_that_came_and_went_are_part_of_the_region(bench: Bench) -> None:
    attempt(bench, {}, {"recall": 0.8})
    bench.write("data/train.csv", "patient_id,radius,texture,label\nP1,1.5,3.5,0\nP2,2.5,4.5,1\n")
    attempt(bench, {}, {"recall": 0.85})
    axes = {axis.name: axis.values for axis in frontier(bench.repo, []).axes}
    assert axes == {"columns of data/train.csv": ("as before", "+texture")}


def test_of_two_hundred_runs_the_setting_that_matters_comes_first(bench: Bench) -> None:
    import random

    dice = random.Random(7)
    for n in range(200):
        c = dice.choice((0.1, 1.0, 10.0, 100.0))
        noise = {"impute": dice.choice(("median", "mean")), "lr": dice.random(), "depth": dice.randrange(5), "seed": n}
        values = {"recall": (0.9 if c == 1.0 else 0.8) + dice.random() / 100}
        bench.write("config/pipeline.json", {"C": c, **noise})
        add_metrics(bench.repo, str(bench.commit()), values)
    found = best_experiments(bench.repo, "recall", why=True)
    assert (found.ranked, len(found.experiments)) == (200, 20)
    first, *others = found.traits or ()
    assert (first.name, first.value, first.top) == ("C", "1.0", 20)
    assert first.chance < 1e-6
    assert all(trait.chance > 0.05 for trait in others), others


def test_a_metric_without_a_direction_ranks_nothing(bench: Bench) -> None:
    attempt(bench, {"C": 2.0}, {"flag_rate": 0.5})
    with pytest.raises(UsageError, match="nothing says which way flag_rate is better"):
        best_experiments(bench.repo, "flag_rate")
    with pytest.raises(UnknownRevision, match="no experiment has a value of auc"):
        best_experiments(bench.repo, "auc")
    with pytest.raises(UnknownRevision, match="no experiment has a value of nope"):
        best_experiments(bench.repo, "nope")  # nor a direction


def test_an_idea_nobody_had_is_named_and_whole_numbers_stay_whole(bench: Bench) -> None:
    attempt(bench, {"C": 2.0}, {"missed": 3})
    (best,) = best_experiments(bench.repo, "missed").experiments
    assert (best.value, type(best.value)) == (3, int)
    for ask in (list_experiments, list_ideas, experiment_stats):
        with pytest.raises(UnknownRevision, match="no experiment is of the idea 'grit'"):
            ask(bench.repo, idea="grit")
    assert list_experiments(bench.repo, idea="GRID").of == 1


def test_values_on_other_versions_of_the_data_are_not_ranked_but_counted(bench: Bench) -> None:
    kept = [attempt(bench, {"C": c}, {"recall": c / 100}) for c in (2.0, 3.0)]
    bench.write("data/train.csv", DATA + "P3,3.5,1\n")
    attempt(bench, {"C": 4.0}, {"recall": 0.99})
    found = best_experiments(bench.repo, "recall")
    assert [one.commit for one in found.experiments] == kept[::-1]
    assert sum(found.left_out.values()) == 1


def test_the_share_promoted_is_counted_by_week(bench: Bench) -> None:
    from datetime import timedelta

    ids = []
    for n in range(40):
        ids.append(attempt(bench, {"C": n + 2.0}, {"recall": 0.91}))
        bench.clock.moment += timedelta(hours=12)
    for id in (ids[0], ids[10], ids[39]):
        promote(bench.repo, "prod", str(id), reason="better")
    found = experiment_stats(bench.repo)
    assert (found.experiments, found.promoted, found.share_promoted, found.share_won) == (40, 3, 0.075, 1.0)
    assert sum(week.experiments for week in found.weeks) == 40
    assert len(found.weeks) == 3


def test_a_repository_without_experiments_answers_everything(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "w")
    assert list_experiments(bench.repo).experiments == ()
    assert frontier(bench.repo).cells == 0
    assert experiment_stats(bench.repo).share_won is None
    assert list_ideas(bench.repo).ideas == ()


def test_a_metrics_file_an_experiment_did_not_touch_is_none_of_its_own(tmp_path: Path) -> None:
    bench = started(tmp_path / "w", {"recall": 0.7})
    switch(bench.repo, "main")
    bench.write("metrics/static.json", {"recall": 0.95})
    bench.commit("measured")
    branch(bench, "exp/later")
    low, high = (attempt(bench, {"C": c}, {"recall": value}) for c, value in ((2.0, 0.6), (3.0, 0.8)))
    ranked = best_experiments(bench.repo, "recall")
    assert [(row.commit, row.value) for row in ranked.experiments] == [(high, 0.8), (low, 0.6)]
