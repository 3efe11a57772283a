"""docs/commands.md is what the command line says of itself."""

from __future__ import annotations

from mlver.cli import reference
from tests.docs.pages import ROOT


def test_the_commands_page_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "commands.md").read_text()
    assert committed == reference.render(), "run: python -m mlver.cli.reference > docs/commands.md"


def test_the_commands_page_has_every_verb() -> None:
    text = reference.render()
    verbs = (
        "init status commit log show cat diff blame lineage impact run restore branch switch tag undo op promote "
        "rollback deployed metrics alerts note fsck config demo"
    )
    assert [verb for verb in verbs.split(" ") if f"mlver {verb}" not in text] == []
