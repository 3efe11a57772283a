"""The two commands that a newcomer copies are the first two blocks of README.md."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

README = (ROOT / "README.md").read_text()
FENCED = re.findall(r"^```[a-z]*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_each_of_them_is_one_line_with_an_environment_of_its_own() -> None:
    for block in FENCED[:2]:
        assert block.count("\n") == 1
        assert block.startswith("python3 -m venv .venv")


def test_the_first_plays_the_demo_and_the_second_runs_the_tests() -> None:
    assert "'.[demo]'" in FENCED[0]
    assert FENCED[0].strip().endswith("mlver demo")
    assert "'.[test]'" in FENCED[1]
    assert "pytest" in FENCED[1]


def test_continuous_integration_runs_the_second_by_reading_it_here() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "README.md" in script
    assert "pip install -q -e" not in script
