"""docs/coverage.md names tests that exist, and leaves no row of the study and no step of the story out."""

from __future__ import annotations

import ast
import re
from functools import cache

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "coverage.md").read_text()
ROWS = (
    1, 3, 5, 6, 7, 8, 10, 11, 13, 15, 16, 18, 23, 25, 27, 32, 33, 35, 38, 39, 41, 42, 44, 45, 47, 52, 53, 55, 58, 59,
    60, 61, 63, 64, 65, 66, 71, 74, 80, 82, 84, 85, 88, 89, 91, 93, 94, 95, 98, 103, 105, 106, 109, 114, 115, 118, 123,
    124, 127,
)  # fmt: skip
QUESTIONS = "tests/demo/test_questions.py"


def table(title: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def missing(named: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(path, name) for path, name in named if not (ROOT / path).is_file() or name not in functions_of(path)]


def named(text: str) -> list[tuple[str, str]]:
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)


def test_every_test_that_is_named_exists() -> None:
    found = named(PAGE)
    assert len(found) > 100 and missing(found) == []
    questions = [(QUESTIONS, row[2].strip("`")) for row in table("Thirteen questions")]
    assert len(set(questions)) == 13 and missing(questions) == []


def test_a_test_that_does_not_exist_is_found() -> None:
    text = "`tests/docs/test_coverage.py::test_gone` `tests/gone.py::test_a` `tests/docs/test_coverage.py::named`"
    assert missing(named(text)) == [("tests/docs/test_coverage.py", "test_gone"), ("tests/gone.py", "test_a")]


def test_every_row_that_is_a_must_stands_there_once_in_order() -> None:
    rows = table("The study's rows")
    assert tuple(int(row[0]) for row in rows) == ROWS
    assert all(len(row) == 5 for row in rows)


def test_what_is_shown_names_its_test_and_what_is_not_says_what_is_missing() -> None:
    for number, _, _, state, what in table("The study's rows"):
        rest = re.sub(r"`tests/[^`]*`[,.]?", "", what).strip()
        assert state in ("shown", "in part", "missing"), number
        assert named(what) or state == "missing" or number == "127", number
        assert bool(rest) == (state != "shown") or number == "127", number


def test_every_step_of_the_story_names_its_test() -> None:
    steps = table("Thirty steps of the night at the clinic")
    assert [int(step[0]) for step in steps] == list(range(1, 31))
    assert all(any(path.startswith("tests/demo/") for path, _ in named(step[2])) for step in steps)
