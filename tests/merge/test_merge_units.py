"""The three-way merge of unit maps, by its laws: which side is ours makes no difference, nothing is lost or made up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.kinds import registry
from mlver.kinds.base import MISSING, Spec, Units, Unreadable
from mlver.kinds.edits import Held
from mlver.kinds.merge3 import merge3, merged
from mlver.repo.merge_units import UnitMerge, merge_units

VALUES = st.sampled_from([0, 1, 2, "a", None, 0.5])
MAPS = st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=6)
LINES = st.lists(st.sampled_from("abcde"), max_size=8)


def applied(units: dict[str, Any], merge: UnitMerge) -> dict[str, Any]:
    return {k: v for k, v in {**units, **merge.changes}.items() if v is not MISSING}


@given(MAPS, MAPS, MAPS)
def test_both_directions_give_the_same_map_and_the_same_conflicts(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    there = merge_units(Units(base), Units(ours), Units(theirs))
    back = merge_units(Units(base), Units(theirs), Units(ours))
    assert {c.unit for c in there.conflicts} == {c.unit for c in back.conflicts}
    swapped = {c.unit: (c.theirs, c.ours) for c in back.conflicts}
    assert all((c.ours, c.theirs) == swapped[c.unit] for c in there.conflicts)
    free = {c.unit for c in there.conflicts}
    sides = [applied(ours, there), applied(theirs, back)]
    assert {k: v for k, v in sides[0].items() if k not in free} == {k: v for k, v in sides[1].items() if k not in free}


@given(MAPS, MAPS, MAPS)
def test_every_unit_is_that_of_the_side_that_changed_it(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    merge = merge_units(Units(base), Units(ours), Units(theirs))
    result, conflicts = applied(ours, merge), {c.unit for c in merge.conflicts}
    for key in base.keys() | ours.keys() | theirs.keys():
        b, o, t = (side.get(key, MISSING) for side in (base, ours, theirs))
        wanted = o if o == t or b == t else t
        assert (key in conflicts) == (b != o and b != t and o != t)
        assert result.get(key, MISSING) == (o if key in conflicts else wanted)


@given(MAPS, MAPS)
def test_a_merge_with_what_did_not_change_gives_the_other_side(base: dict[str, Any], side: dict[str, Any]) -> None:
    assert applied(base, merge_units(Units(base), Units(base), Units(side))) == side
    assert merge_units(Units(base), Units(side), Units(base)) == UnitMerge()


@given(MAPS, MAPS, MAPS)
def test_a_second_merge_brings_nothing(base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    merge = merge_units(Units(base), Units(ours), Units(theirs))
    again = merge_units(Units(base), Units(applied(ours, merge)), Units(theirs))
    assert not again.changes and again.conflicts == merge.conflicts
    assert merge_units(Units(base), Units(ours), Units(ours)) == UnitMerge()


@given(LINES, LINES, LINES)
def test_lines_fall_into_chunks_that_cover_all_three_versions(
    base: list[str], ours: list[str], theirs: list[str]
) -> None:
    chunks = merge3(base, ours, theirs)
    for which, side in (("base", base), ("ours", ours), ("theirs", theirs)):
        ranges = [getattr(chunk, which) for chunk in chunks]
        assert [line for low, high in ranges for line in side[low:high]] == side
    for chunk in chunks:
        b, o, t = base[slice(*chunk.base)], ours[slice(*chunk.ours)], theirs[slice(*chunk.theirs)]
        state = (
            "stable" if b == o == t else "both" if o == t else "ours" if b == t else "theirs" if b == o else "conflict"
        )
        assert chunk.state == state


@given(LINES, LINES, LINES)
def test_lines_merge_alike_in_both_directions(base: list[str], ours: list[str], theirs: list[str]) -> None:
    assert merged(base, ours, theirs) == merged(base, theirs, ours)
    assert (
        merged(base, base, theirs) == theirs and merged(base, ours, base) == ours and merged(base, ours, ours) == ours
    )


def of(path: str, content: Any, **options: Any) -> Units:
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    data = text if isinstance(text, bytes) else text.encode()
    return registry.get(registry.detect(path, lambda: data)).units(Held(path, data), Spec(options=options))


def merge_of(path: str, base: Any, ours: Any, theirs: Any, **options: Any) -> UnitMerge:
    return merge_units(*(of(path, content, **options) for content in (base, ours, theirs)))


TABLE = "id,clinic,label\nP1,A,0\nP2,B,1\nP3,C,0\n"


def test_rows_that_moved_are_no_change() -> None:
    theirs = "id,clinic,label\nP3,C,0\nP2,B,0\nP1,A,0\n"
    merge = merge_of("data/t.csv", TABLE, TABLE.replace("P1,A,0", "P1,A,1"), theirs)
    assert list(merge.changes) == ["P2"] and not merge.conflicts


def test_a_row_that_one_side_removed_and_the_other_changed_is_a_conflict() -> None:
    merge = merge_of("data/t.csv", TABLE, TABLE.replace("P2,B,1\n", ""), TABLE.replace("P2,B,1", "P2,B,0"))
    (conflict,) = merge.conflicts
    assert conflict.unit == "P2" and conflict.ours is MISSING and conflict.theirs["label"] == 0 and not merge.changes


def test_the_same_row_added_on_both_sides_is_no_conflict_unless_it_differs() -> None:
    assert merge_of("data/t.csv", TABLE, TABLE + "P4,A,1\n", TABLE + "P4,A,1\n") == UnitMerge()
    assert [c.unit for c in merge_of("data/t.csv", TABLE, TABLE + "P4,A,1\n", TABLE + "P4,B,1\n").conflicts] == ["P4"]


def test_a_new_column_on_one_side_makes_no_row_a_conflict() -> None:
    wide = "id,clinic,label,age\nP1,A,0,5\nP2,B,0,6\nP3,C,0,7\n"
    merge = merge_of("data/t.csv", TABLE, wide, TABLE.replace("P2,B,1", "P2,B,0").replace("P3,C,0", "P3,C,1"))
    assert list(merge.changes) == ["P3"] and not merge.conflicts


def test_a_table_without_a_key_is_not_merged_by_guess() -> None:
    base = "x,y\n1,1\n1,2\n2,2\n"
    with pytest.raises(Unreadable, match="no key"):
        merge_of("data/t.csv", base, base.replace("2,2", "2,3"), base.replace("2,2", "2,4"))
    assert len(merge_of("data/t.csv", base, base + "9,9\n", base + "8,8\n").changes) == 1


def test_items_of_a_list_that_grew_on_one_side_are_not_confused_with_others() -> None:
    base = {"layers": [{"u": 1, "act": "relu"}, {"u": 2, "act": "relu"}]}
    longer = {"layers": [{"u": 0, "act": "relu"}, *base["layers"]]}  # act of layer 0 is what it was
    other = {"layers": [{"u": 1, "act": "tanh"}, {"u": 2, "act": "relu"}]}
    merge = merge_of("config/c.json", base, longer, other)
    assert "layers.0.act" in {c.unit for c in merge.conflicts} and not merge.changes
    back = merge_of("config/c.json", base, other, longer)
    assert {c.unit for c in back.conflicts} == {c.unit for c in merge.conflicts}


def test_a_value_here_and_keys_below_it_there_are_a_conflict() -> None:
    merge = merge_of("config/c.json", {"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, {"a": "off"})
    assert {c.unit for c in merge.conflicts} >= {"a"} and not merge.changes


def test_rules_added_on_both_sides_keep_both_in_a_stated_order() -> None:
    r1, r2, r3, r4 = ({"id": f"R{n}", "then": "x"} for n in range(1, 5))
    merge = merge_of("rules/r.json", [r1, r2], [r1, r3, r2], [r1, r2, r4], order=True)
    assert merge.changes["@order"] == ["R1", "R3", "R2", "R4"] and not merge.conflicts


def test_an_alert_with_new_events_on_both_sides_has_them_all_unless_they_contradict() -> None:
    fired = {"id": "A1", "type": "drift", "at": "2024-01-01T00:00:00Z"}
    base = json.dumps(fired) + "\n"

    def after(**event: str) -> str:
        return base + json.dumps({"id": "A1", "at": "2024-01-02T00:00:00Z", **event}) + "\n"

    later = json.dumps({"id": "A1", "at": "2024-01-03T00:00:00Z", "outcome": "acted"})
    ours, theirs = after(by="ana") + later + "\n", after(by="ana") + json.dumps({"id": "A1", "ticket": "B-1"}) + "\n"
    merge = merge_of("alerts/a.jsonl", base, ours, theirs)
    assert not merge.conflicts and [len(v["events"]) for v in merge.changes.values()] == [4]
    assert merge.changes["A1"]["outcome"] == "acted" and merge.changes["A1"]["ticket"] == "B-1"
    assert merge_of("alerts/a.jsonl", base, after(outcome="acted"), after(outcome="false positive")).conflicts


def test_lines_of_code_merge_and_conflict_by_place() -> None:
    base = "a\nb\nc\nd\n"
    assert merge_of("t.py", base, "a\nb\nc\nD\n", "A\nb\nc\nd\n").changes == {"L1-1": ["A"]}
    (conflict,) = merge_of("t.py", base, "a\nb1\nc\nd\n", "a\nb2\nc\nd\n").conflicts
    assert (conflict.unit, conflict.place, conflict.base, conflict.ours, conflict.theirs) == (
        "L2", "L2-2", ["b"], ["b1"], ["b2"],
    )  # fmt: skip
