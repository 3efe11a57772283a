"""Merging branches: what three people changed in the same files comes together, and what does not is said in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import Refused
from mlver.objects.commit import Derivation
from mlver.verbs.blame import blame
from mlver.verbs.branch import set_ref, switch
from mlver.verbs.commit import commit
from mlver.verbs.merge import continue_merge, merge, resolve
from mlver.verbs.run import begin, record
from mlver.verbs.status import status
from tests.kit import Bench
from tests.verbs.parted import (
    CODE,
    CONFIG,
    R1,
    R2,
    R3,
    ROWS,
    RULES,
    SETTINGS,
    TRAIN,
    files,
    project,
    read,
    targets,
    two,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return project(tmp_path)


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


def test_a_cell_that_reads_like_the_key_of_its_row_is_told_in_a_conflict(bench: Bench) -> None:
    rows = "id,n,label\n1,1,0\n2,2,0\n"
    bench.write(TRAIN, rows)
    commit(bench.repo, "numbers")
    two(bench, {TRAIN: rows.replace("1,1,0", "1,9,0")}, {TRAIN: rows.replace("1,1,0", "1,8,0")})
    (conflict,) = merge(bench.repo, "ben").conflicts
    assert (conflict.text_base, conflict.text_ours, conflict.text_theirs) == ("n=1", "n=9", "n=8")


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
