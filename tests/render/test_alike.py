"""Many units that became the same, rows without a name: told so that a person can read them."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from mlver.render.diff import diff_page
from mlver.render.markdown import diff_markdown
from mlver.render.units import Alike, gathered, units_in
from mlver.verbs.diff import ArtifactDiff, DiffResult, Side, UnitChange, UnitCounts


def changed(unit: str, old: Any, new: Any) -> UnitChange:
    return UnitChange(unit, "changed", old, new, str(old), str(new))


def artifact(kind: str, *changes: UnitChange, **words: Any) -> ArtifactDiff:
    count = {word: sum(c.change == word for c in changes) for word in ("added", "removed", "changed")}
    return ArtifactDiff("a/b", kind, "modified", "said", UnitCounts(**count), changes, **words)


def pages(*artifacts: ArtifactDiff) -> tuple[str, str]:
    result = DiffResult(Side("v1", None), Side("v2", None), artifacts)
    console = Console(file=StringIO(), width=80, color_system=None)
    console.print(diff_page(result))
    return console.file.getvalue(), diff_markdown(result).plain


FILLS = [changed(f"impute.fill.f{n}", n + 0.5, -1) for n in range(30)]


def test_thirty_fill_values_are_one_line() -> None:
    page, markdown = pages(artifact("config", *FILLS, changed("train.lr", 0.1, 0.2)))
    assert "~ impute.fill.* (30)  0.5, 1.5, … → -1" in page and "~ train.lr" in page
    assert "f17" not in page and "more" not in page
    assert "impute.fill.* (30)" in markdown and "f17" not in markdown


def test_the_old_value_is_said_when_all_had_the_same() -> None:
    same = [changed(f"x{n}", "median", -1) for n in range(6)]
    page, _ = pages(artifact("config", *same))
    assert '~ 6: x0 … x5  "median" → -1' in page


def test_few_and_different_ones_are_told_one_by_one() -> None:
    few = FILLS[:5]
    assert gathered(few, "config") == few
    different = [changed(f"x{n}", 0, n) for n in range(30)]
    assert gathered(different, "config") == different
    text_and_number = [changed(f"x{n}", 0, "-1" if n % 2 else -1) for n in range(10)]
    assert gathered(text_and_number, "config") == text_and_number


def test_rows_of_people_stay_apart() -> None:
    flips = [changed(f"P{n:04}", {"label": 1}, {"label": 0}) for n in range(30)]
    assert gathered(flips, "data") == flips


def test_the_count_of_what_is_left_knows_groups() -> None:
    told = gathered([*FILLS, changed("y", 1, 2)], "config")
    assert isinstance(told[0], Alike) and len(told) == 2 and units_in(told) == 31


def test_rows_without_a_key_are_told_by_what_they_say() -> None:
    rows = [
        UnitChange("0123456789abcdef", "removed", old={"x": 1}, text_old="x=1 y=2"),
        UnitChange("fedcba9876543210#2", "added", new={"x": 3}, text_new="x=3 y=4"),
        UnitChange("columns.z", "added", new="int64", text_new="int64"),
    ]
    page, markdown = pages(artifact("data", *rows, nameless=True))
    assert "- x=1 y=2" in page and "+ x=3 y=4" in page and "columns.z  int64" in page
    assert "0123456789abcdef" not in page + markdown and "fedcba" not in page + markdown
    keyed, _ = pages(artifact("data", *rows))
    assert "0123456789abcdef" in keyed
