"""`merge`, `revert` and `branch --compare` as typed: what is said, what is hinted at, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.kit import Bench

CONFIG = "config/pipeline.json"


@pytest.fixture
def parted(bench: Bench) -> Bench:
    """`ben` and `main` both changed `impute`, ben also C, main also the rules."""
    from mlver.verbs.branch import switch

    switch(bench.repo, "ben", create=True)
    bench.write(CONFIG, {"impute": "knn", "C": 2.0})
    bench.commit("knn", by="ben", trailers={"why": ["neighbours know more"]})
    switch(bench.repo, "main")
    bench.write(CONFIG, {"impute": "mean", "C": 1.0})
    bench.write("rules/rules.json", [{"id": "R1", "then": "page"}])
    bench.commit("mean", by="ana", trailers={"why": ["the median hides the tail"]})
    return bench


def test_a_conflict_is_told_with_values_authors_reasons_and_ends_with_4(mlver: Terminal, parted: Bench) -> None:
    for words in (["merge", "ben", "-n"], ["merge", "ben"], ["merge"]):
        answer = mlver(*words)
        assert answer.code == 4
        for said in (
            '"mean"',
            "the median hides the tail",
            '"knn"',
            "ben 20",
            "neighbours know more",
            f"{CONFIG}#impute",
        ):
            assert said in answer.out
    assert "--theirs" in answer.err and "--abort" in answer.err


def test_the_json_of_a_conflict_holds_both_sides(mlver: Terminal, parted: Bench) -> None:
    answer = mlver("merge", "ben", "--json")
    (conflict,) = answer.json["conflicts"]
    assert answer.code == 4 and answer.json["outcome"] == "conflicts"
    assert (conflict["base"], conflict["ours"], conflict["theirs"]) == ("-1", "mean", "knn")
    assert conflict["ours_by"]["why"] == "the median hides the tail" and conflict["theirs_by"]["author"] == "ben"
    assert conflict["resolved"] is False and conflict["taken"] is None
    assert mlver("merge", "-q").out == f"{CONFIG}#impute\n"


def test_status_shows_the_open_merge_and_commit_refuses(mlver: Terminal, parted: Bench) -> None:
    mlver("merge", "ben")
    shown = mlver("status").out
    assert "merge of ben is open: 1 conflict left" in shown and f"  {CONFIG}#impute" in shown
    assert mlver("status", "--json").json["merging"]["left"] == [f"{CONFIG}#impute"]
    refused = mlver("commit", "-m", "x")
    assert refused.code == 3 and "has conflicts left" in refused.err and "mlver merge --continue" in refused.err
    assert mlver("switch", "ben").code == mlver("revert", "HEAD").code == 3


def test_a_side_is_taken_from_a_subfolder_and_the_merge_committed(mlver: Terminal, parted: Bench) -> None:
    mlver("merge", "ben")
    taken = mlver("merge", "--theirs", "pipeline.json#impute", folder="w/config")
    assert taken.code == 0 and "nothing left to resolve" in taken.out
    done = mlver("merge", "--continue", "--why", "knn was measured")
    assert done.code == 0 and done.out.startswith("[main ")
    assert json.loads((parted.root / CONFIG).read_text()) == {"impute": "knn", "C": 2.0}
    log = mlver("log", "-n", "1").out
    assert f"{CONFIG}#impute: theirs" in log and "knn was measured" in log
    assert mlver("merge", "ben").out.startswith("up to date")


def test_continue_and_a_side_can_stand_in_one_line(mlver: Terminal, parted: Bench) -> None:
    mlver("merge", "ben")
    assert mlver("merge", "--ours", ".", "--continue").code == 0
    assert json.loads((parted.root / CONFIG).read_text()) == {"impute": "mean", "C": 2.0}


def test_abort_says_that_all_is_as_it_was(mlver: Terminal, parted: Bench) -> None:
    before = (parted.root / CONFIG).read_bytes()
    mlver("merge", "ben")
    answer = mlver("merge", "--abort")
    assert answer.code == 0 and "given up" in answer.out and (parted.root / CONFIG).read_bytes() == before
    for words in (["--abort"], ["--continue"], []):
        assert mlver("merge", *words).code == 1


@pytest.mark.parametrize("words", [["ben", "--abort"], ["ben", "--continue"], ["--abort", "--ours", "x"]])
def test_words_that_do_not_go_together_are_refused(mlver: Terminal, parted: Bench, words: list[str]) -> None:
    assert mlver("merge", *words).code == 2


def test_revert_takes_units_after_dashes(mlver: Terminal, parted: Bench) -> None:
    looked = mlver("revert", "HEAD", "-n")
    assert looked.code == 0 and looked.out.startswith("would revert HEAD without conflicts")
    answer = mlver("revert", "HEAD", "--why", "recall fell", "--", "rules/rules.json#R1")
    assert answer.code == 0 and "revert" in answer.out and "mlver undo" in answer.err
    assert json.loads((parted.root / "rules/rules.json").read_text()) == [{"id": "R1", "then": "refer"}]
    assert json.loads((parted.root / CONFIG).read_text())["impute"] == "mean"
    shown = mlver("log", "-n", "1").out
    assert "reverts: " in shown and "recall fell" in shown
    assert mlver("revert", "HEAD~1", "--", "rules").code == 1  # nothing is left of it


def test_branches_are_compared_side_by_side(mlver: Terminal, parted: Bench) -> None:
    answer = mlver("branch", "--compare", "ben")
    lines = [line.split() for line in answer.out.splitlines()]
    assert ["config", "2", "units", "in", "1", "file", "1", "unit", "in", "1", "file", "1", "conflict"] in lines
    assert ["rules", "–", "1", "unit", "in", "1", "file"] in lines
    assert mlver("branch", "--compare").code == 2
    assert "are the same commit" in mlver("branch", "--compare", "main").out


def test_pages_fit_80_columns(mlver: Terminal, parted: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in (["merge", "ben"], ["status"], ["branch", "--compare", "ben", "main"]):
        assert max(map(len, mlver(*words).out.splitlines())) <= 80


def test_lines_in_conflict_are_cut_when_there_are_many(mlver: Terminal, parted: Bench, tmp_path: Path) -> None:
    from mlver.verbs.branch import switch

    parted.write("train.py", "")
    parted.commit("empty")
    switch(parted.repo, "other", create=True)
    parted.write("train.py", "".join(f"a{n}\n" for n in range(50)))
    parted.commit("a")
    switch(parted.repo, "main")
    parted.write("train.py", "".join(f"b{n}\n" for n in range(50)))
    parted.commit("b")
    answer = mlver("merge", "other")
    assert "… 43 more lines" in answer.out and "(no lines)" in answer.out and "train.py#L1" in answer.out
