"""Merging branches: what three people changed in the same files comes together, and what does not is said in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import NegativeAnswer, Refused, UsageError
from mlver.objects.commit import Derivation
from mlver.verbs.blame import blame
from mlver.verbs.branch import set_ref, switch
from mlver.verbs.commit import commit
from mlver.verbs.merge import MergeResult, abort_merge, continue_merge, merge, open_merge, resolve
from mlver.verbs.run import begin, record
from mlver.verbs.status import status
from mlver.verbs.undo import undo
from tests.kit import Bench

CONFIG, RULES, TRAIN = "config/pipeline.json", "rules/rules.json", "data/train.csv"
SETTINGS = {"impute": "median", "C": 1.0, "max_iter": 1000}
R1, R2, R3 = ({"id": f"R{n}", "when": {"column": "radius", "gt": n}, "then": "refer"} for n in (1, 2, 3))
ROWS = "patient_id,clinic,label\n" + "".join(f"P{n:04},C,{n % 2}\n" for n in range(400, 410))
CODE = "import csv\n\n\ndef train():\n    return 1\n\n\ndef serve():\n    return 2\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write(CONFIG, SETTINGS)
    bench.write(RULES, [R1, R2])
    bench.write(TRAIN, ROWS)
    bench.write("train.py", CODE)
    bench.write("models/triage.joblib", b"the first model")
    bench.commit("v1", by="dana")
    return bench


def two(bench: Bench, mine: dict[str, Any], other: dict[str, Any]) -> None:
    """Ana's work on main and ben's on `ben`, both from v1. None removes a file."""
    switch(bench.repo, "ben", create=True)
    put(bench, other)
    bench.commit("ben's", by="ben", trailers={"why": ["the scanner of clinic C drops values"], "ticket": ["B-12"]})
    switch(bench.repo, "main")
    put(bench, mine)
    bench.commit("ana's", by="ana", trailers={"why": ["the median hides the tail"]})


def put(bench: Bench, files: dict[str, Any]) -> None:
    for path, content in files.items():
        if content is None:
            (bench.root / path).unlink()
        else:
            bench.write(path, content)


def read(bench: Bench, path: str) -> Any:
    text = (bench.root / path).read_text()
    return json.loads(text) if path.endswith(".json") else text


def files(bench: Bench) -> dict[str, bytes]:
    found = (path for path in bench.root.rglob("*") if path.is_file() and ".mlver" not in path.parts)
    return {path.relative_to(bench.root).as_posix(): path.read_bytes() for path in found}


def targets(result: MergeResult) -> list[str]:
    return [conflict.target for conflict in result.unresolved]


def test_keys_rules_and_rows_of_two_people_come_together(bench: Bench) -> None:
    """Rows 44 and 45 of the table of needs: A edits C, B impute; A adds R3, B edits R1; A fixes P0404, B P0405."""
    two(
        bench,
        {CONFIG: {**SETTINGS, "C": 2.0}, RULES: [R1, R2, R3], TRAIN: ROWS.replace("P0404,C,0", "P0404,C,1")},
        {CONFIG: {**SETTINGS, "impute": "-1"}, RULES: [{**R1, "then": "page"}, R2],
         TRAIN: ROWS.replace("P0405,C,1", "P0405,C,0")},
    )  # fmt: skip
    mine, theirs = bench.repo.resolve("main"), bench.repo.resolve("ben")
    result = merge(bench.repo, "ben")
    assert result.outcome == "merged" and not result.conflicts
    assert {(one.path, one.units) for one in result.merged} == {(CONFIG, 1), (RULES, 1), (TRAIN, 1)}
    assert bench.repo.commit(bench.repo.resolve("main")).parents == (mine, theirs)
    assert read(bench, CONFIG) == {"impute": "-1", "C": 2.0, "max_iter": 1000}
    assert read(bench, RULES) == [{**R1, "then": "page"}, R2, R3]
    assert read(bench, TRAIN) == ROWS.replace("P0404,C,0", "P0404,C,1").replace("P0405,C,1", "P0405,C,0")
    assert status(bench.reopen()).clean
    who = {unit.unit: unit.author for unit in blame(bench.repo, CONFIG).units}
    assert who == {"impute": "ben", "C": "ana", "max_iter": "dana"}


def test_both_ways_round_the_merge_says_the_same(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "C": 2.0}, "train.py": CODE.replace("1", "10")},
        {CONFIG: {**SETTINGS, "impute": "-1"}, "train.py": CODE.replace("2", "20")})  # fmt: skip
    merge(bench.repo, "ben")
    there = read(bench, CONFIG), read(bench, "train.py")
    switch(bench.repo, "ben")
    merge(bench.repo, "main~1")
    assert (read(bench, CONFIG), read(bench, "train.py")) == there
    assert there[1] == CODE.replace("1", "10").replace("2", "20")


def test_the_same_key_on_both_sides_is_a_conflict_with_both_values_and_reasons(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean", "C": 2.0}},
        {CONFIG: {**SETTINGS, "impute": "-1", "max_iter": 3000}})  # fmt: skip
    result = merge(bench.repo, "ben")
    (conflict,) = result.conflicts
    assert result.outcome == "conflicts" and result.commit is None
    assert (conflict.target, conflict.reason) == (f"{CONFIG}#impute", "changed on both sides")
    assert (conflict.base, conflict.ours, conflict.theirs) == ("median", "mean", "-1")
    assert conflict.ours_by is not None and conflict.theirs_by is not None
    assert (conflict.ours_by.author, conflict.ours_by.why) == ("ana", "the median hides the tail")
    assert (conflict.theirs_by.author, conflict.theirs_by.why) == ("ben", "the scanner of clinic C drops values")
    assert conflict.theirs_by.ticket == ("B-12",)
    assert read(bench, CONFIG) == {"impute": "mean", "C": 2.0, "max_iter": 3000}  # the clean part is there


def test_the_same_row_and_rule_on_both_sides_are_conflicts_and_equal_changes_are_none(bench: Bench) -> None:
    two(
        bench,
        {TRAIN: ROWS.replace("P0404,C,0", "P0404,C,1").replace("P0406,C,0", "P0406,A,0"), RULES: [R2]},
        {TRAIN: ROWS.replace("P0404,C,0", "P0404,C,1").replace("P0406,C,0", "P0406,B,0"),
         RULES: [{**R1, "then": "page"}, R2]},
    )  # fmt: skip
    result = merge(bench.repo, "ben")
    assert {c.target: (c.ours, c.theirs) for c in result.conflicts} == {
        f"{RULES}#R1": (None, {"then": "page"}),
        f"{TRAIN}#P0406": ({"clinic": "A"}, {"clinic": "B"}),
    }
    rule = next(conflict for conflict in result.conflicts if conflict.kind == "rules")
    assert rule.reason == "removed here, changed there" and rule.text_ours == "(absent)"
    assert rule.ours_by is not None and rule.ours_by.author == "ana"  # who removed it


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


def test_models_are_never_merged_and_the_hint_is_to_retrain(bench: Bench) -> None:
    two(bench, {"models/triage.joblib": b"ana's"}, {"models/triage.joblib": b"ben's"})
    result = merge(bench.repo, "ben")
    (conflict,) = result.conflicts
    assert conflict.target == "models/triage.joblib" and conflict.kind == "model" and "retrain" in conflict.hint
    assert (bench.root / "models/triage.joblib").read_bytes() == b"ana's"
    bench.write("models/triage.joblib", b"trained on both")
    assert continue_merge(bench.repo).outcome == "merged"


def test_an_artifact_of_the_other_side_keeps_how_it_was_made(bench: Bench) -> None:
    switch(bench.repo, "ben", create=True)
    before = begin(bench.repo)
    bench.write("models/new.joblib", b"made there")
    record(bench.repo, before, command=("python", "train.py"), inputs=[TRAIN], outputs=["models/new.joblib"])
    bench.commit("trained", by="ben")
    switch(bench.repo, "main")
    bench.write(TRAIN, ROWS.replace("P0404,C,0", "P0404,C,1"))
    bench.commit("ana's", by="ana")
    result = merge(bench.repo, "ben")
    made = bench.repo.commit(result.commit).derivations["models/new.joblib"]
    assert bench.repo.store.get_object(Derivation, made).command == ("python", "train.py")
    assert [(one.path, one.because) for one in result.stale] == [("models/new.joblib", (TRAIN,))]


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


def test_uncommitted_work_in_the_way_is_named_before_anything_happens(bench: Bench) -> None:
    two(bench, {RULES: [R1, R2, R3]}, {CONFIG: {**SETTINGS, "impute": "-1"}, "notes.txt": "ben's\n"})
    bench.write(CONFIG, {**SETTINGS, "C": 7.0})
    bench.write("notes.txt", "mine\n")
    before, view = files(bench), bench.repo.refresh()
    with pytest.raises(Refused, match=r"config/pipeline\.json, notes\.txt"):
        merge(bench.repo, "ben")
    assert files(bench) == before and bench.repo.refresh() == view


def test_uncommitted_work_in_a_file_with_a_conflict_is_refused_too(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "impute": "mean"}}, {CONFIG: {**SETTINGS, "impute": "-1"}})
    bench.write(CONFIG, {**SETTINGS, "impute": "mean", "C": 7.0})
    with pytest.raises(Refused, match="uncommitted work"):
        merge(bench.repo, "ben")
    assert read(bench, CONFIG)["C"] == 7.0


def test_other_uncommitted_work_stays_uncommitted_through_a_clean_merge(bench: Bench) -> None:
    two(bench, {RULES: [R1, R2, R3]}, {CONFIG: {**SETTINGS, "impute": "-1"}})
    bench.write("train.py", CODE + "# mine\n")
    result = merge(bench.repo, "ben")
    assert result.outcome == "merged"
    assert [change.path for change in status(bench.repo).changes] == ["train.py"]


def test_a_branch_without_commits_of_its_own_moves_forward(bench: Bench) -> None:
    switch(bench.repo, "ben", create=True)
    bench.write(CONFIG, {**SETTINGS, "impute": "-1"})
    theirs = bench.commit("ben's", by="ben")
    switch(bench.repo, "main")
    result = merge(bench.repo, "ben")
    assert (result.outcome, result.commit) == ("fast-forward", theirs)
    assert bench.repo.resolve("main") == theirs and status(bench.repo).clean and read(bench, CONFIG)["impute"] == "-1"
    assert "fast-forward" in bench.repo.state.operation.command
    assert merge(bench.repo, "ben").outcome == merge(bench.repo, "HEAD~1").outcome == "up-to-date"


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


def test_a_file_that_was_moved_gets_what_the_other_side_changed_in_it(bench: Bench) -> None:
    two(bench, {TRAIN: None, "data/2024/train.csv": ROWS}, {TRAIN: ROWS.replace("P0404,C,0", "P0404,C,1")})
    assert merge(bench.repo, "ben").outcome == "merged"
    assert read(bench, "data/2024/train.csv") == ROWS.replace("P0404,C,0", "P0404,C,1")
    assert not (bench.root / TRAIN).exists()


def test_a_file_removed_here_and_changed_there_is_a_conflict_of_the_whole_file(bench: Bench) -> None:
    two(bench, {RULES: None}, {RULES: [R1]})
    result = merge(bench.repo, "ben")
    assert targets(result) == [RULES] and result.conflicts[0].reason == "removed here, changed there"
    resolve(bench.repo, theirs=[RULES])
    assert read(bench, RULES) == [R1]
    assert continue_merge(bench.repo).outcome == "merged"


def test_a_new_column_there_and_fixed_rows_here_make_one_table(bench: Bench) -> None:
    wide = "".join(f"{line},{'age' if n == 0 else 40 + n}\n" for n, line in enumerate(ROWS.splitlines()))
    two(bench, {TRAIN: ROWS.replace("P0404,C,0", "P0404,C,1").replace("P0409,C,1\n", "")}, {TRAIN: wide})
    assert merge(bench.repo, "ben").outcome == "merged"
    lines = read(bench, TRAIN).splitlines()
    assert lines[0].endswith(",age") and "P0404,C,1,45" in lines and not any(line.startswith("P0409") for line in lines)


def test_what_only_lines_can_merge_is_merged_by_lines_if_the_units_agree(bench: Bench) -> None:
    anchors = "base: &b\n  x: 1\nuse: *b\nC: 1\n\nk: 2\n\nimpute: median\n"
    bench.write("config/a.yaml", anchors)
    bench.commit("anchors")
    two(bench, {"config/a.yaml": anchors.replace("C: 1", "C: 2")},
        {"config/a.yaml": anchors.replace("median", "mean")})  # fmt: skip
    assert merge(bench.repo, "ben").outcome == "merged"
    assert read(bench, "config/a.yaml") == anchors.replace("C: 1", "C: 2").replace("median", "mean")


def test_a_file_that_cannot_be_read_is_a_conflict_of_bytes_that_says_why(bench: Bench) -> None:
    two(bench, {CONFIG: '{"impute": '}, {CONFIG: {**SETTINGS, "C": 2.0}})
    (conflict,) = merge(bench.repo, "ben").conflicts
    assert conflict.unit is None and "not merged unit by unit" in conflict.reason and "line 1" in conflict.reason


def test_criss_cross_histories_take_the_newest_base_both_ways(bench: Bench) -> None:
    two(bench, {CONFIG: {**SETTINGS, "C": 2.0}}, {RULES: [R1]})
    set_ref(bench.repo, "branch", "ana1", "main")
    set_ref(bench.repo, "branch", "ben1", "ben")
    merge(bench.repo, "ben1")
    switch(bench.repo, "ben")
    merge(bench.repo, "ana1")
    bench.write(CONFIG, {**SETTINGS, "C": 2.0, "max_iter": 3000})
    bench.commit("ben's second", by="ben")
    there = merge(bench.repo, "main", dry_run=True)
    switch(bench.repo, "main")
    result = merge(bench.repo, "ben")
    assert result.bases == there.bases == 2 and result.base == there.base
    assert result.outcome == "merged" and read(bench, CONFIG) == {**SETTINGS, "C": 2.0, "max_iter": 3000}


def test_facts_belong_to_no_branch_and_survive_a_merge(bench: Bench) -> None:
    from mlver.verbs.note import add_note, list_notes

    two(bench, {CONFIG: {**SETTINGS, "C": 2.0}}, {RULES: [R1]})
    add_note(bench.repo, "ben", "learned on the other branch")
    merge(bench.repo, "ben")
    assert [note.text for note in list_notes(bench.repo).notes] == ["learned on the other branch"]


def test_a_file_here_and_a_folder_there_are_refused(bench: Bench) -> None:
    two(bench, {"place": "a file\n"}, {"place/inside": "a folder\n"})
    before = files(bench)
    with pytest.raises(Refused, match="file on one side and a folder on the other"):
        merge(bench.repo, "ben")
    assert files(bench) == before
