"""Taking one commit back: only what it changed, and not what others did to the same file since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import NegativeAnswer, Refused, UnknownRevision, UsageError
from mlver.objects.ids import CommitId
from mlver.verbs.blame import blame
from mlver.verbs.branch import switch
from mlver.verbs.divergence import compare_branches
from mlver.verbs.merge import abort_merge, continue_merge, merge, resolve
from mlver.verbs.revert import revert
from mlver.verbs.status import status
from tests.kit import Bench

CONFIG, RULES, TRAIN, MODEL = "config/pipeline.json", "rules/rules.json", "data/train.csv", "models/triage.joblib"
SETTINGS = {"impute": "median", "C": 1.0, "max_iter": 1000}
R1, R2, R3 = ({"id": f"R{n}", "then": "refer"} for n in (1, 2, 3))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Ben's bad commit, and cleo's good one on top, in the same file."""
    bench = Bench(tmp_path / "clinic")
    bench.write(CONFIG, SETTINGS)
    bench.write(RULES, [R1, R2, R3])
    bench.write(TRAIN, "id,label\nP1,0\nP2,1\n")
    bench.write(MODEL, b"good")
    bench.commit("v1", by="ana")
    bench.write(CONFIG, {**SETTINGS, "impute": "-1", "drop": True})
    bench.write(RULES, [R1, R3])
    bench.write(MODEL, b"bad")
    bench.commit("impute -1, drop R2", by="ben", trailers={"why": ["quicker"]})
    bench.write(CONFIG, {**SETTINGS, "impute": "-1", "drop": True, "max_iter": 3000})
    bench.commit("more iterations", by="cleo", trailers={"why": ["it did not converge"]})
    return bench


def read(bench: Bench, path: str) -> Any:
    return json.loads((bench.root / path).read_text())


def bad(bench: Bench) -> CommitId:
    return bench.repo.resolve("HEAD~1")


def test_a_colleagues_later_change_of_the_same_file_stays(bench: Bench) -> None:
    id, head = bad(bench), bench.repo.resolve("HEAD")
    result = revert(bench.repo, "HEAD~1", trailers={"why": ["recall fell"]})
    assert result.outcome == "reverted" and result.theirs == id
    assert read(bench, CONFIG) == {**SETTINGS, "max_iter": 3000}
    assert read(bench, RULES) == [R1, R2, R3]  # R2 is back in its place
    assert (bench.root / MODEL).read_bytes() == b"good"
    made = bench.repo.commit(result.commit)
    assert made.parents == (head,) and made.trailers == {"reverts": (id.hex(),), "why": ("recall fell",)}
    assert (
        made.message.startswith(f"revert {id.short}: ") and 'impute "-1" -> "median"'.replace('"', "") in made.message
    )
    assert len(made.subject) <= 72 and status(bench.repo).clean
    assert {u.unit: u.author for u in blame(bench.repo, CONFIG).units}["max_iter"] == "cleo"


@pytest.mark.parametrize(
    ("targets", "config", "rules"),
    [
        ([f"{CONFIG}#impute"], {**SETTINGS, "max_iter": 3000, "drop": True}, [R1, R3]),
        ([f"{CONFIG}#impute", f"{RULES}#R2"], {**SETTINGS, "max_iter": 3000, "drop": True}, [R1, R2, R3]),
        ([CONFIG], {**SETTINGS, "max_iter": 3000}, [R1, R3]),
        (["rules"], {**SETTINGS, "impute": "-1", "max_iter": 3000, "drop": True}, [R1, R2, R3]),
        ([f"{CONFIG}#impute", CONFIG], {**SETTINGS, "max_iter": 3000}, [R1, R3]),
    ],
)
def test_only_what_is_named_is_taken_back(bench: Bench, targets: list[str], config: Any, rules: Any) -> None:
    revert(bench.repo, "HEAD~1", targets=targets)
    assert (read(bench, CONFIG), read(bench, RULES)) == (config, rules)
    assert (bench.root / MODEL).read_bytes() == b"bad"


def test_a_model_alone_comes_back_whole(bench: Bench) -> None:
    result = revert(bench.repo, "HEAD~1", targets=["models"])
    assert [change.path for change in result.changes] == [MODEL] and (bench.root / MODEL).read_bytes() == b"good"


def test_a_unit_that_was_changed_again_is_a_conflict_with_who_and_why(bench: Bench) -> None:
    id = bad(bench)
    bench.write(CONFIG, {**SETTINGS, "impute": "knn", "drop": True, "max_iter": 3000})
    bench.commit("knn", by="dana", trailers={"why": ["neighbours know"], "ticket": ["B-7"]})
    result = revert(bench.repo, str(id), targets=["config"])
    (conflict,) = result.conflicts
    assert (conflict.target, conflict.reason) == (f"{CONFIG}#impute", "changed again since")
    assert (conflict.base, conflict.ours, conflict.theirs) == ("-1", "knn", "median")
    assert conflict.ours_by is not None and conflict.theirs_by is not None
    assert (conflict.ours_by.author, conflict.ours_by.why, conflict.ours_by.ticket) == (
        "dana",
        "neighbours know",
        ("B-7",),
    )
    assert (conflict.theirs_by.commit, conflict.theirs_by.why) == (id, "quicker")
    assert read(bench, CONFIG) == {**SETTINGS, "impute": "knn", "max_iter": 3000}
    resolve(bench.repo, theirs=[f"{CONFIG}#impute"])
    done = continue_merge(bench.repo)
    assert done.outcome == "reverted" and len(bench.repo.commit(done.commit).parents) == 1
    assert bench.repo.commit(done.commit).trailers["reverts"] == (id.hex(),)
    assert read(bench, CONFIG) == {**SETTINGS, "max_iter": 3000}


def test_a_revert_can_be_looked_at_first_and_given_up(bench: Bench) -> None:
    before = (bench.root / CONFIG).read_bytes()
    assert {c.path for c in revert(bench.repo, "HEAD~1", dry_run=True).changes} == {CONFIG, RULES, MODEL}
    assert (bench.root / CONFIG).read_bytes() == before
    assert revert(bench.repo, "HEAD~1", no_commit=True).outcome == "open"
    shown = status(bench.repo).merging
    assert shown is not None and shown.action == "revert"
    abort_merge(bench.repo)
    assert (bench.root / CONFIG).read_bytes() == before and status(bench.repo).clean


def test_a_revert_of_a_revert_brings_it_back(bench: Bench) -> None:
    tree = bench.repo.commit(bench.repo.resolve("HEAD")).tree
    revert(bench.repo, "HEAD~1")
    revert(bench.repo, "HEAD")
    assert bench.repo.commit(bench.repo.resolve("HEAD")).tree == tree


def test_a_second_revert_has_nothing_to_do(bench: Bench) -> None:
    id = bad(bench)
    revert(bench.repo, str(id))
    with pytest.raises(NegativeAnswer, match="nothing is left"):
        revert(bench.repo, str(id))


def test_of_a_merge_what_it_brought_in_is_taken_back(bench: Bench) -> None:
    switch(bench.repo, "side", create=True)
    bench.write(TRAIN, "id,label\nP1,1\nP2,1\n")
    bench.commit("label", by="eve")
    switch(bench.repo, "main")
    bench.write(RULES, [R3])
    bench.commit("fewer rules", by="ana")
    merge(bench.repo, "side")
    revert(bench.repo, "HEAD")
    assert (bench.root / TRAIN).read_text() == "id,label\nP1,0\nP2,1\n" and read(bench, RULES) == [R3]


@pytest.mark.parametrize(
    ("rev", "targets", "error", "said"),
    [
        ("HEAD~2", [], Refused, "first commit"),
        ("side", [], Refused, "no part of what HEAD holds"),
        ("HEAD~1", [TRAIN], UnknownRevision, "changed nothing at data/train.csv"),
        ("HEAD~1", [f"{CONFIG}#imputes"], UnknownRevision, "no unit 'imputes'"),
        ("HEAD~1", [f"{RULES}#R2.then"], UsageError, "a part of R2"),
        ("HEAD~1", [f"{RULES}#"], UsageError, "no unit after #"),
    ],
)
def test_what_cannot_be_reverted_says_why(
    bench: Bench, rev: str, targets: list[str], error: type[Exception], said: str
) -> None:
    switch(bench.repo, "side", create=True)
    bench.write("x", "1\n")
    bench.commit("aside")
    switch(bench.repo, "main")
    with pytest.raises(error, match=said):
        revert(bench.repo, rev, targets=targets)
    assert bench.repo.refresh().merging is None and status(bench.repo).clean


def test_two_branches_are_compared_by_commits_and_units_of_each_kind(bench: Bench) -> None:
    """Row 46 of the table of needs: five commits on each side, the summary is exact."""
    for name, by, key in (("a", "ana", "C"), ("b", "ben", "max_iter")):
        switch(bench.repo, "main")
        switch(bench.repo, name, create=True)
        settings = read(bench, CONFIG)
        for number in range(5):
            settings = {**settings, key: 10 + number, "seed": ord(name)}
            bench.write(CONFIG, settings)
            if number == 0:
                bench.write(RULES, [R1, {**R3, "owner": by}] if name == "a" else [R1, R2, R3])
            bench.commit(f"{name}{number}", by=by)
    result = compare_branches(bench.repo, "a", "b")
    assert [info.subject for info in result.a.commits] == ["a4", "a3", "a2", "a1", "a0"]
    assert [info.subject for info in result.b.commits] == ["b4", "b3", "b2", "b1", "b0"]
    assert result.base == bench.repo.resolve("main")
    kinds = {one.kind: (one.a_files, one.a_units, one.b_files, one.b_units, one.both) for one in result.kinds}
    assert kinds == {"config": (1, 2, 1, 2, 1), "rules": (1, 1, 1, 1, 0)}  # the seed is on both
    switch(bench.repo, "a")
    assert [c.target for c in merge(bench.repo, "b", theirs=[CONFIG]).conflicts] == [f"{CONFIG}#seed"]
    assert read(bench, CONFIG) == {**SETTINGS, "impute": "-1", "drop": True, "C": 14, "max_iter": 14, "seed": 98}
    assert read(bench, RULES) == [R1, R2, {**R3, "owner": "ana"}]
