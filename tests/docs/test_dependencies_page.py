"""Every runtime dependency has its reason in docs/design/dependencies.md."""

from __future__ import annotations

import re
import tomllib

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "design" / "dependencies.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[A-Za-z0-9_.-]+", requirement)[0] for requirement in requirements}


def test_the_table_lists_exactly_what_is_installed() -> None:
    rows = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))
    assert rows == names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["demo"])
