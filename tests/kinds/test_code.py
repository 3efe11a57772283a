"""Code: lines and cells that are followed from version to version."""

from __future__ import annotations

import inspect
import json
import random
from typing import Any

import pytest
import sklearn.linear_model._logistic as logistic
from hypothesis import given
from hypothesis import strategies as st

from mlver.kinds.alignment import align, shortest
from mlver.kinds.base import MISSING, Spec, Units, Unreadable
from mlver.kinds.code import CodeKind
from tests.kinds.byte_source import HugeSource, diff, units

CODE = CodeKind()
SOURCE = inspect.getsource(logistic)
few = st.lists(st.sampled_from("abcd"), max_size=25)


@given(few, few)
def test_an_alignment_pairs_equal_items_in_rising_order(old: list[str], new: list[str]) -> None:
    pairs = align(old, new)
    assert all(old[i] == new[j] for j, i in pairs.items())
    ordered = [pairs[j] for j in sorted(pairs)]
    assert ordered == sorted(set(ordered))


@given(st.lists(st.integers(), unique=True, max_size=30), st.sets(st.integers(0, 29)))
def test_items_that_only_left_or_came_lose_no_other(items: list[int], chosen: set[int]) -> None:
    fewer = [item for at, item in enumerate(items) if at not in chosen]
    assert len(align(items, fewer)) == len(align(fewer, items)) == len(fewer)


@given(few, few)
def test_without_anchors_as_much_is_kept_as_can_be(old: list[str], new: list[str]) -> None:
    pairs, _ = shortest(old, new, 10_000)
    assert all(old[i] == new[j] for i, j in pairs)
    assert len(pairs) == _longest_common(old, new)


def _longest_common(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        before = row[:]
        for j, y in enumerate(b):
            row[j + 1] = before[j] + 1 if x == y else max(row[j], before[j + 1])
    return row[-1]


def test_few_changes_are_found_in_a_long_file_of_repeated_lines() -> None:
    old = [f"line {number % 50}" for number in range(50_000)]
    new = [line for at, line in enumerate(old) if at % 997]
    assert len(align(old, new)) == len(new)


def test_a_line_put_in_is_one_added_line() -> None:
    where = SOURCE.index("\n", len(SOURCE) // 2) + 1
    delta, comparison = diff(CODE, "train.py", SOURCE, SOURCE[:where] + "seed = 46\n" + SOURCE[where:])
    number = SOURCE[:where].count("\n") + 1
    assert (list(delta.added), list(delta.removed), list(delta.changed)) == ([f"L{number}"], [], [])
    assert comparison.summary == "+1 line"
    assert comparison.details[0].rows == (("@", f"L{number}"), ("+", "seed = 46"))


def test_lines_are_followed_through_insertions() -> None:
    old = units(CODE, "a.py", "a\nb\nc\n")
    new = units(CODE, "a.py", "x\na\nB\nc\n")
    assert [new.counterpart(f"L{number}", old) for number in (1, 2, 3, 4, 9)] == [None, "L1", None, "L3", None]
    assert new.counterpart("4", old) == "L3"
    assert old.get("2") == old.get("L2") == "b"
    assert old.get("L4") is old.get("0") is MISSING


def test_other_kinds_follow_units_by_their_key() -> None:
    old, new = Units({"C": 1}), Units({"C": 2, "seed": 0})
    assert new.counterpart("C", old) == "C"
    assert new.counterpart("seed", old) is None


def test_a_file_written_anew_is_compared_in_no_time_and_shown_in_part() -> None:
    chance = random.Random(1)
    old = "\n".join(chance.choice("abcdefgh") for _ in range(4000))
    new = "\n".join(chance.choice("abcdefgh") for _ in range(4000))
    delta, comparison = diff(CODE, "a.txt", old, new)
    rows = comparison.details[0].rows
    assert len(rows) == 40
    shown = sum(sign in "+-" for sign, _ in rows)
    assert rows[-1] == ("…", f"{len(delta.added) + len(delta.removed) - shown} more")


def test_line_ends_do_not_count_but_spaces_do() -> None:
    _, comparison = diff(CODE, "a.py", "if x:\n    y\n", "if x:\r\n    y")
    assert (comparison.summary, comparison.same_meaning) == ("same lines, other line ends", True)
    delta, comparison = diff(CODE, "a.py", "if x:\n    y\n", "if x:\n  y\n")
    assert (delta.added, delta.removed, comparison.same_meaning) == (["L2"], ["L2"], False)


@given(few, few)
def test_old_lines_minus_removed_plus_added_is_the_new_file(old: list[str], new: list[str]) -> None:
    delta, comparison = diff(CODE, "a.txt", "\n".join([*old, "end"]), "\n".join([*new, "end"]))
    kept = [line for at, line in enumerate([*old, "end"], 1) if f"L{at}" not in delta.removed]
    assert kept == [line for at, line in enumerate([*new, "end"], 1) if f"L{at}" not in delta.added]
    assert comparison.counts == {"lines_added": len(delta.added), "lines_removed": len(delta.removed)}


@pytest.mark.parametrize(("text", "reason"), [(b"a\nb\xff", "line 2: not UTF-8 text"), ("a\0b", "NUL")])
def test_what_is_no_text_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        units(CODE, "a.py", text)


def test_a_huge_text_is_not_opened() -> None:
    with pytest.raises(Unreadable, match="larger than 16 MiB"):
        CODE.units(HugeSource("corpus.txt"), Spec())


def cell(source: str, name: str | None = "", **more: Any) -> dict[str, Any]:
    kind = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source.splitlines(True),
    }
    return kind | ({} if name is None else {"id": name or source[:8]}) | more


def notebook(*cells: dict[str, Any], minor: int = 5) -> str:
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": minor}
    )


@pytest.mark.parametrize("named", [True, False])
def test_a_notebook_that_was_only_run_again_has_not_changed(named: bool) -> None:
    name = "" if named else None
    output = {"output_type": "stream", "name": "stdout", "text": ["0.958\n"]}
    old = notebook(cell("import x\ny = 1", name), cell("y", name))
    new = notebook(
        cell("import x\ny = 1", name, execution_count=7), cell("y", name, execution_count=8, outputs=[output])
    )
    delta, comparison = diff(CODE, "explore.ipynb", old, new)
    assert not delta
    assert (comparison.summary, comparison.same_meaning) == ("same cells, other outputs or metadata", True)


def test_a_cell_that_changed_is_named_by_its_id() -> None:
    old, new = (
        notebook(cell("a = 1", "c1"), cell("b", "c2")),
        notebook(cell("new", "c0"), cell("a = 2\nb", "c1"), cell("b", "c2")),
    )
    delta, comparison = diff(CODE, "e.ipynb", old, new)
    assert (delta.added, delta.removed, delta.changed) == (["c0"], [], ["c1"])
    assert comparison.summary == "+1 ~1 cells"
    assert CODE.text("c1", units(CODE, "e.ipynb", new).get("c1")) == "[code] a = 2  (+1 lines)"


def test_cells_without_ids_are_followed_by_what_they_say() -> None:
    old = notebook(cell("a", None), cell("b", None), minor=4)
    new = notebook(cell("new", None), cell("a", None), cell("b", None), minor=4)
    delta, _ = diff(CODE, "e.ipynb", old, new)
    assert (delta.added, delta.removed) == (["1"], [])
    assert units(CODE, "e.ipynb", new).counterpart("3", units(CODE, "e.ipynb", old)) == "2"


def test_a_notebook_that_gets_ids_has_not_changed() -> None:
    assert not diff(CODE, "e.ipynb", notebook(cell("a", None), minor=4), notebook(cell("a", "c1")))[0]


def test_cells_in_another_order_are_not_the_same_notebook() -> None:
    delta, comparison = diff(CODE, "e.ipynb", notebook(cell("a"), cell("b")), notebook(cell("b"), cell("a")))
    assert not delta
    assert (comparison.summary, comparison.same_meaning) == ("cells in another order", False)


@pytest.mark.parametrize("text", ["[]", "{}", '{"cells": [1]}', '{"worksheets": []}', '{"cells": [{"source": [1]}]}'])
def test_what_is_no_notebook_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="not a notebook"):
        units(CODE, "e.ipynb", text)
