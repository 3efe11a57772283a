"""Suspects are ranked by how many bad predictions they touch, with the others they touch counted against them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import UnknownRevision, UsageError
from mlver.verbs.suspect import COMMIT, ROW, RULE, suspect
from tests.kit import Bench

LIVE = "id,clinic,missing,size\n" + "".join(
    f"P{n},{'ABC'[n % 3]},{4 if n % 3 == 2 and n < 20 else 0},{n}\n" for n in range(60)
)
BAD = ["P2", "P5", "P8", "P11"]  # of clinic C, with much missing


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "project")
    bench.write("data/live.csv", LIVE)
    bench.write("data/train.csv", "id,clinic,label\nP900,A,1\nP901,B,0\nP2,C,0\n")
    bench.write("config/c.json", {"impute": "median"})
    bench.write("rules/r.json", [{"id": "R1", "if": "size > 57"}, {"id": "R2", "if": "missing >= 3"}])
    bench.commit("v2")
    bench.write("config/c.json", {"impute": "-1"})
    bench.commit("impute", by="ben")
    bench.write("data/train.csv", "id,clinic,label\nP900,A,1\nP901,B,0\nP2,C,1\n")
    bench.commit("labels", by="temp-07")
    bench.write("rules/r.json", [{"id": "R1", "if": "size > 57"}])
    bench.commit("drop R2", trailers={"why": ["0 hits"]}, by="eve")
    return bench


def test_the_rule_that_was_removed_comes_first_with_the_commit_that_removed_it(bench: Bench) -> None:
    result = suspect(bench.repo, BAD, "data/live.csv", good="HEAD~3")
    first, second = result.suspects[:2]
    assert (first.sort, first.name, first.bad, first.others) == (RULE, "rules/r.json#R2", 4, 2)
    assert "was removed" in first.what and first.score == pytest.approx(1 - 2 / 56)
    assert (second.sort, second.why, second.author) == (COMMIT, "0 hits", "eve")
    assert second.score == first.score


def test_what_touches_everything_says_nothing(bench: Bench) -> None:
    result = suspect(bench.repo, BAD, "data/live.csv", good="HEAD~3")
    scores = {one.author: one.score for one in result.suspects if one.sort == COMMIT}
    assert scores["ben"] == 0 and scores["temp-07"] == 0


def test_by_a_column_changed_rows_touch_their_own_slice_alone(bench: Bench) -> None:
    result = suspect(bench.repo, BAD, "data/live.csv", good="HEAD~3", by="clinic")
    labels = next(one for one in result.suspects if one.author == "temp-07")
    assert (labels.bad, labels.others) == (4, 16) and "rows of clinic=C" in labels.what


def test_a_training_row_of_the_same_name_is_a_suspect(bench: Bench) -> None:
    result = suspect(bench.repo, BAD, "data/live.csv", good="HEAD~3")
    (row,) = [one for one in result.suspects if one.sort == ROW]
    assert (row.name, row.bad) == ("data/train.csv#P2", 1)


def test_a_rule_that_never_fires_on_them_is_none(bench: Bench) -> None:
    result = suspect(bench.repo, BAD, "data/live.csv", good="HEAD~3")
    assert "rules/r.json#R1" not in [one.name for one in result.suspects]


def test_a_rule_that_cannot_be_tested_accuses_nobody(bench: Bench) -> None:
    bench.write("rules/r.json", [{"id": "R1", "if": "read_csv('/etc/passwd')"}, {"id": "R3", "if": "nothing > ("}])
    bench.commit("odd rules")
    names = [one.name for one in suspect(bench.repo, BAD, "data/live.csv", good="HEAD~4").suspects]
    assert "rules/r.json#R2" in names and "rules/r.json#R1" not in names and "rules/r.json#R3" not in names


def test_what_is_not_there_is_named(bench: Bench) -> None:
    with pytest.raises(UnknownRevision, match=r"data/live\.csv has no row P999"):
        suspect(bench.repo, ["P2", "P999"], "data/live.csv", good="HEAD~3")
    with pytest.raises(UsageError, match="no prediction named"):
        suspect(bench.repo, [], "data/live.csv", good="HEAD~3")
    with pytest.raises(UsageError, match="clinik"):
        suspect(bench.repo, ["P2"], "data/live.csv", good="HEAD~3", by="clinik")
