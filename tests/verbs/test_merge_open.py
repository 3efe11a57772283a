"""A merge that is open: taking sides, editing, going on, giving up, and what waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import NegativeAnswer, Refused, UsageError
from mlver.verbs.branch import switch
from mlver.verbs.commit import commit
from mlver.verbs.merge import abort_merge, continue_merge, merge, open_merge, resolve
from mlver.verbs.status import status
from mlver.verbs.undo import undo
from tests.kit import Bench
from tests.verbs.parted import CODE, CONFIG, R1, R2, R3, RULES, SETTINGS, TRAIN, files, project, read, targets, two


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return project(tmp_path)


def test_a_side_is_taken_unit_by_unit_and_the_merge_goes_on(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean", "C": 2.0}, RULES: [R2]},
        {CONFIG: {**SETTINGS, "impute": "-1", "C": 3.0}, RULES: [{**R1, "then": "page"}, R2]})  # fmt: skip
    merge(bench.repo, "ben")
    assert continue_merge(bench.repo).outcome == "conflicts"
    left = resolve(bench.repo, theirs=[f"{CONFIG}#impute", RULES], ours=[f"{CONFIG}#C"])
    assert not left.unresolved and left.outcome == "open"
    result = continue_merge(bench.repo)
    assert result.outcome == "merged" and len(bench.repo.commit(result.commit).parents) == 2
    assert read(bench, CONFIG) == {**SETTINGS, "impute": "-1", "C": 2.0}
    assert read(bench, RULES) == [{**R1, "then": "page"}, R2]  # back in its place
    assert f"{CONFIG}#impute: theirs" in result.message and f"{CONFIG}#C: ours" in result.message
    assert bench.repo.refresh().merging is None and status(bench.repo).clean


def test_editing_the_file_resolves_a_conflict(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean"}}, {CONFIG: {**SETTINGS, "impute": "-1"}})
    merge(bench.repo, "ben")
    bench.write(CONFIG, {**SETTINGS, "impute": "mean", "C": 9.0})  # another key: nothing is decided
    assert targets(open_merge(bench.repo)) == [f"{CONFIG}#impute"]
    bench.write(CONFIG, {**SETTINGS, "impute": "knn"})
    assert targets(open_merge(bench.repo)) == []
    made = commit(bench.repo, "we take knn", trailers={"why": ["both were wrong"]})
    assert len(made.parents) == 2 and bench.repo.view.merging is None
    assert bench.repo.commit(made.commit).trailers == {"why": ("both were wrong",)}


def test_lines_of_code_in_conflict_stand_between_marks(bench: Bench) -> None:
    two(bench, {"train.py": CODE.replace("return 1", "return 10").replace("csv", "json")},
        {"train.py": CODE.replace("return 1", "return 11").replace("return 2", "return 20")})  # fmt: skip
    before = files(bench)
    result = merge(bench.repo, "ben")
    (conflict,) = result.conflicts
    assert (conflict.unit, conflict.ours, conflict.theirs) == ("L5", ["    return 10"], ["    return 11"])
    marked = read(bench, "train.py")
    assert "<<<<<<< L5 ours\n    return 10\n||||||| L5 before\n    return 1\n=======\n    return 11\n>>>>>>>" in marked
    resolve(bench.repo, theirs=["train.py#L5"])
    wanted = CODE.replace("csv", "json").replace("return 1", "return 11").replace("return 2", "return 20")
    assert read(bench, "train.py") == wanted
    abort_merge(bench.repo)
    assert files(bench) == before
    merge(bench.repo, "ben")
    bench.write("train.py", marked.replace("<<<<<<< L5 ours\n", ""))
    assert targets(open_merge(bench.repo)) == ["train.py#L5"]  # half a mark is still one
    bench.write("train.py", wanted)
    assert continue_merge(bench.repo).outcome == "merged"


def test_abort_brings_the_exact_tree_back_and_leaves_other_work_alone(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean"}, "old.txt": "x\n"},
        {CONFIG: {**SETTINGS, "impute": "-1"}, "new/file.txt": "y\n", TRAIN: None})  # fmt: skip
    bench.write("scratch.txt", "mine\n")
    before = files(bench)
    assert merge(bench.repo, "ben").outcome == "conflicts"
    assert (bench.root / "new/file.txt").exists() and not (bench.root / TRAIN).exists()
    bench.write(CONFIG, "{ half an edit")
    assert targets(open_merge(bench.repo)) == [f"{CONFIG}#impute"]  # a broken file decides nothing
    result = abort_merge(bench.repo)
    assert result.outcome == "aborted" and files(bench) == before and bench.repo.refresh().merging is None
    with pytest.raises(NegativeAnswer, match="no merge is open"):
        abort_merge(bench.repo)


def test_a_dry_run_says_all_and_does_nothing(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean"}}, {CONFIG: {**SETTINGS, "impute": "-1"}, RULES: [R1]})
    before, state = files(bench), bench.repo.state.id
    result = merge(bench.repo, "ben", dry_run=True)
    assert targets(result) == [f"{CONFIG}#impute"] and [c.path for c in result.changes] == [RULES]
    bench.repo.refresh()
    assert files(bench) == before and bench.repo.state.id == state


def test_a_merge_that_is_not_committed_stays_open(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "C": 2.0}}, {CONFIG: {**SETTINGS, "impute": "-1"}})
    head = bench.repo.view.head
    assert merge(bench.repo, "ben", no_commit=True, message="both").outcome == "open"
    shown = status(bench.reopen()).merging
    assert shown is not None and (shown.name, shown.left, bench.repo.view.head) == ("ben", (), head)
    assert continue_merge(bench.repo).message == "both"


def test_while_a_merge_is_open_nothing_else_moves_head(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean"}}, {CONFIG: {**SETTINGS, "impute": "-1"}})
    merge(bench.repo, "ben")
    shown = status(bench.reopen()).merging
    assert shown is not None and shown.left == (f"{CONFIG}#impute",)
    for act in (
        lambda: switch(bench.repo, "ben"),
        lambda: switch(bench.repo, "new", create=True),
        lambda: merge(bench.repo, "ben"),
        lambda: commit(bench.repo, "x"),
    ):
        with pytest.raises(Refused) as caught:
            act()
        assert "--continue" in str(caught.value.hint)
    bench.write(CONFIG, {**SETTINGS, "impute": "knn"})
    with pytest.raises(Refused, match="as a whole"):
        commit(bench.repo, "x", paths=[CONFIG])


def test_a_merged_file_that_was_put_back_does_not_lose_their_work_silently(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean"}},
        {CONFIG: {**SETTINGS, "impute": "-1"}, RULES: [R1, R2, R3]})  # fmt: skip
    merge(bench.repo, "ben", theirs=[CONFIG], no_commit=True)
    bench.write(RULES, [R1, R2])  # as after an abort that was cut short
    assert targets(open_merge(bench.repo)) == [RULES]
    assert continue_merge(bench.repo).outcome == "conflicts"
    assert resolve(bench.repo, ours=[RULES]).outcome == "open"  # on purpose, then
    assert continue_merge(bench.repo).outcome == "merged" and read(bench, RULES) == [R1, R2]


def test_every_step_of_a_merge_can_be_undone(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean"}}, {CONFIG: {**SETTINGS, "impute": "-1"}})
    head = bench.repo.view.head
    merge(bench.repo, "ben")
    resolve(bench.repo, theirs=["."])
    made = continue_merge(bench.repo).commit
    assert undo(bench.repo).effects == (
        f"main: {made.short} -> {head.short}",
        "merge of ben open, 0 conflicts undecided",
    )
    assert continue_merge(bench.repo).outcome == "merged"
    for _ in range(3):
        undo(bench.repo)
    assert bench.repo.view.merging is None and bench.repo.view.head == head


def test_conflicts_can_be_decided_with_the_merge(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean", "C": 2.0}}, {CONFIG: {**SETTINGS, "impute": "-1", "C": 3.0}})
    result = merge(bench.repo, "ben", theirs=[f"{CONFIG}#impute"], ours=[f"{CONFIG}#C"])
    assert result.outcome == "merged" and read(bench, CONFIG) == {**SETTINGS, "impute": "-1", "C": 2.0}


def test_a_target_that_names_no_conflict_is_refused_with_those_there_are(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean"}}, {CONFIG: {**SETTINGS, "impute": "-1"}})
    merge(bench.repo, "ben")
    with pytest.raises(UsageError, match=r"no conflict at config/pipeline\.json#C") as caught:
        resolve(bench.repo, ours=[f"{CONFIG}#C"])
    assert f"{CONFIG}#impute" in str(caught.value.hint)
