"""`--limit` cuts the list of units so that each sort of change is still seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.kinds.base import Delta
from mlver.verbs.compare import cut
from mlver.verbs.diff import diff
from tests.kit import Bench


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 100))
def test_a_cut_is_full_fair_and_in_order(added: int, removed: int, changed: int, limit: int) -> None:
    whole = Delta(
        *([f"{sort}{n}" for n in range(size)] for sort, size in zip("arc", (added, removed, changed), strict=True))
    )
    part = cut(whole, limit)
    pairs = [(part.added, whole.added), (part.removed, whole.removed), (part.changed, whole.changed)]
    assert sum(len(few) for few, _ in pairs) == min(limit, added + removed + changed)
    assert all(list(few) == list(every)[: len(few)] for few, every in pairs)
    cut_short = [len(few) for few, every in pairs if len(few) < len(every)]
    assert not cut_short or max(map(len, (few for few, _ in pairs))) - min(cut_short) <= 1


def rows(*numbers: int, x: int = 0) -> str:
    return "id,x\n" + "".join(f"r{n},{x}\n" for n in numbers)


@pytest.mark.parametrize("limit", [3, 6])
def test_a_thousand_removed_rows_do_not_hide_one_that_changed(tmp_path: Path, limit: int) -> None:
    bench = Bench(tmp_path / "r")
    bench.write("data/t.csv", rows(*range(1000)))
    bench.commit("one")
    bench.write("data/t.csv", "id,x\nr999,7\n" + "".join(f"n{n},1\n" for n in range(50)))
    (artifact,) = diff(bench.repo, limit=limit).artifacts
    assert len(artifact.changes) == limit and artifact.truncated
    assert {change.change for change in artifact.changes} == {"added", "removed", "changed"}
    assert (artifact.units.added, artifact.units.removed, artifact.units.changed) == (50, 999, 1)


def test_rows_without_a_key_are_nameless(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "r")
    bench.write("data/t.csv", "x,y\n1.5,2\n1.5,3\n")
    bench.commit("one")
    bench.write("data/t.csv", "x,y\n1.5,2\n1.5,4\n")
    (artifact,) = diff(bench.repo).artifacts
    assert artifact.nameless and [change.text_new for change in artifact.changes if change.new] == ["y=4 x=1.5"]
