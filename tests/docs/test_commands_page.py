"""docs/commands.md is what the command line says of itself."""

from __future__ import annotations

import pytest

from tests.docs.pages import ROOT

VERBS = (
    "init", "status", "commit", "log", "show", "cat", "diff", "blame", "lineage", "impact", "run", "restore", "branch",
    "switch", "tag", "undo", "op", "promote", "rollback", "deployed", "metrics", "alerts", "note", "fsck", "config",
    "demo",
)  # fmt: skip


@pytest.fixture(scope="module")
def generated() -> str:
    from mlver.cli import reference

    return reference.render()


def test_the_commands_page_is_up_to_date(generated: str) -> None:
    committed = (ROOT / "docs" / "commands.md").read_text()
    assert committed == generated, "run: python -m mlver.cli.reference > docs/commands.md"


def test_the_commands_page_has_every_verb(generated: str) -> None:
    assert [verb for verb in VERBS if f"mlver {verb}" not in generated] == []
