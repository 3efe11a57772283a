"""Sections of mlver.toml: read strictly, every complaint says where."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlver.errors import UsageError
from mlver.repo.project import parse_project

TOML = b"""
[stages.prod]
include = ["model"]

[people."dana"]
left = 2024-03-12
name = "Dana"
teams = ["a", "b"]
share = 0.5
"""


def test_a_section_reads_what_it_is_asked_for() -> None:
    dana = parse_project(TOML).sections("people")["dana"]
    assert dana.moment("left") == datetime(2024, 3, 12, tzinfo=UTC)
    assert dana.text("name") == "Dana"
    assert dana.texts("teams") == ("a", "b")
    assert dana.number("share") == 0.5
    assert (dana.text("nothing"), dana.flag("nothing"), dana.texts("nothing")) == (None, False, ())


@pytest.mark.parametrize(
    "ask, says",
    [
        (lambda s: s.known(["left", "name", "teams"]), "unknown entry 'share'"),
        (lambda s: s.text("share"), "people.dana.share: expected a text"),
        (lambda s: s.number("name"), "people.dana.name: expected a number"),
        (lambda s: s.texts("share"), "people.dana.share"),
        (lambda s: s.moment("name"), "people.dana.name: not a time: 'Dana'"),
        (lambda s: s.flag("name"), "expected true or false"),
    ],
)
def test_what_is_not_as_asked_is_named_with_file_line_and_entry(ask, says) -> None:
    dana = parse_project(TOML).sections("people")["dana"]
    with pytest.raises(UsageError) as error:
        ask(dana)
    assert error.value.message.startswith("mlver.toml:5: people.dana")
    assert says in error.value.message


def test_a_policy_does_not_change_what_bytes_mean() -> None:
    assert parse_project(TOML) == parse_project(b'[stages.prod]\ninclude = ["model"]')


@pytest.mark.parametrize("text, said", [
    ("a = 1\n", "mlver.toml:3: unknown entry 'a'"),
    ("[stage.prod]\nafter = 'x'\n", "mlver.toml:3: unknown entry 'stage'"),
    ("stages = 3\n", "mlver.toml:3: stages must be a table of tables"),
    ("[stages]\nprod = 3\n", "mlver.toml:3: stages must be a table of tables"),
    ("policy = 3\n", "mlver.toml:3: policy must be a table"),
    ("[metrics.auc]\n[metrics.recall]\ndirection = 'up'\n",
     'mlver.toml:4: metrics.recall.direction must be "higher" or "lower"'),
    ("artifact = 3\n", "mlver.toml:3: artifact must be written [[artifact]]"),
    ("[[artifact]]\npath = 'a'\n[[artifact]]\nkind = 'data'\n", "mlver.toml:5: artifact 2: needs a path"),
    ("[[artifact]]\npath = 'a'\nkey = 3\n", "mlver.toml:3: artifact 1: key: expected a text or a list of texts"),
    ("[[artifact]]\npath = 'a'\nkeys = ['id']\n", "mlver.toml:3: artifact 1: unknown entry 'keys'"),
    ("[stages.prod]\ninclude = 3\n", "mlver.toml:3: stages.prod.include: expected a text or a list of texts"),
])  # fmt: skip
def test_what_is_wrong_with_the_whole_file_says_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as wrong:
        parse_project(f"# ours\n\n{text}".encode())
    assert wrong.value.message == said
