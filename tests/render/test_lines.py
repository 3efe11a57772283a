"""The pieces pages are made of."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mlver.render import values
from mlver.render.console import THEME, to_text
from mlver.render.graph import Lanes
from mlver.render.lines import Columns, command_line, line, paragraphs, safe, whole
from tests.render.made import at

_SEEN = st.characters(categories=["L", "N", "P"])


@given(st.text(alphabet=st.characters(codec=None)))
def test_escaped_text_is_printable_whatever_it_was(text: str) -> None:
    escaped = safe(text)
    assert all(character.isprintable() or character.isspace() for character in escaped)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", escaped)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("naïve 数据 é", "naïve 数据 é"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31mred", "\\e[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("a\udcffb", "a\\xffb"),
        ("10\xa0kg", "10\xa0kg"),
    ],
)
def test_what_is_escaped_and_what_is_not(text: str, escaped: str) -> None:
    assert safe(text) == escaped


def test_text_from_a_repository_is_never_markup() -> None:
    assert to_text(line("[bold]x[/bold] :smile: http://x")) == "[bold]x[/bold] :smile: http://x\n"


def test_commands_are_never_cut_nor_broken() -> None:
    command = "mlver " + "x" * 200
    assert to_text(paragraphs([whole(command)]), width=40) == command + "\n"


def test_columns_fit_the_page_by_cutting_what_may_give_way() -> None:
    rows = [["models/a-very-long-name.joblib", "1234567890", "some reason that is long enough to be cut"]]
    assert to_text(Columns(rows), width=60) == "models/a-very-long-name.joblib  1234567890  some reason tha…\n"
    assert to_text(Columns(rows, grow=0, tail=(0,)), width=70).startswith(
        "…ng-name.joblib  1234567890  some reason that is"
    )
    assert to_text(Columns(rows, wrap=(2,)), width=66) == (
        "models/a-very-long-name.joblib  1234567890  some reason that is\n"
        "                                            long enough to be cut\n"
    )


@given(
    st.lists(
        st.lists(st.text(st.characters(categories=["L", "N", "P"]), max_size=40), min_size=3, max_size=3), min_size=1
    ),
    st.integers(40, 120),
)
def test_columns_never_leave_the_page(rows: list[list[str]], width: int) -> None:
    text = to_text(Columns(rows, grow=1, wrap=(2,)), width=width)
    assert max(cell_len(row) for row in text.split("\n")) <= width


def test_a_text_among_rows_goes_across() -> None:
    assert to_text(Columns([["a", "b"], line("  a long remark"), ["ccc", "d"]])) == "a    b\n  a long remark\nccc  d\n"


def test_every_label_has_a_look() -> None:
    for label in (
        "added",
        "removed",
        "changed",
        "better",
        "worse",
        "id",
        "ref",
        "stage",
        "path",
        "who",
        "kind",
        "hint",
    ):
        assert label in THEME.styles


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.958333, "0.958"), (-0.0471, "-0.047"), (1.0, "1.000"), (13.25499, "13.25"), (18807.2, "18,807"),
        (0.00012, "1.20e-04"), (0, "0"), (86, "86"),
        (123456, "123,456"), (None, "unknown"), (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (True, "True"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: object, text: str) -> None:
    assert values.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("-1", '"-1"'),
        (-1, "-1"),
        (1.0, "1.0"),
        (1e-7, "1e-07"),
        (None, "null"),
        ({"a": [1, "b"]}, 'a [1, "b"]'),
        (True, "true"),
    ],
)
def test_values_keep_their_type(value: object, text: str) -> None:
    assert values.brief(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1000, "1000 B"),
        (1024, "1 KiB"),
        (1_023_999, "0.977 MiB"),
        (999, "999 B"),
        (1 << 30, "1 GiB"),
        (None, ""),
    ],
)
def test_sizes_are_binary(count: int | None, text: str) -> None:
    assert values.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0642, "64 ms"),
        (1.44, "1.44 s"),
        (4140, "69 min"),
        (4 * 3600, "4 h"),
        (76 * 3600, "3 d 4 h"),
        (30 * 86400, "30 d"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert values.lasted(seconds) == text


def test_spans_name_the_second_day_only_when_it_is_another() -> None:
    start = at("04-22 02:00")
    assert values.span(start, start + timedelta(minutes=69)) == "2024-04-22 02:00Z – 03:09Z"
    assert values.span(start, start + timedelta(days=1)) == "2024-04-22 02:00Z – 2024-04-23 02:00Z"
    assert values.span(start, None) == "2024-04-22 02:00Z – now"


def test_revisions_need_no_quotes_and_other_things_do() -> None:
    typed = command_line("mlver", "diff", "prod~1", "prod@{2024-04-22T02:30Z}", "--", "a b", "~x", "$(rm)")
    assert typed == "mlver diff prod~1 prod@{2024-04-22T02:30Z} -- 'a b' '~x' '$(rm)'"


def drawn(commits: list[tuple[str, list[str]]]) -> list[str]:
    lanes, lines = Lanes(), []
    for commit, parents in commits:
        above, below = lanes.draw(commit, parents, 1)
        lines += [*above, f"{below[0]} {commit}", *below[1:]]
    return lines


def test_a_straight_history_is_one_lane() -> None:
    assert drawn([("c", ["b"]), ("b", ["a"]), ("a", [])]) == ["* c", "* b", "* a"]


def test_branches_meet_in_their_common_parent() -> None:
    assert drawn([("x", ["a"]), ("y", ["a"]), ("z", ["a"]), ("a", [])]) == [
        "* x", "| * y", "| | * z", "|_|/", "|/", "* a",
    ]  # fmt: skip


def test_a_merge_opens_a_lane() -> None:
    assert drawn([("m", ["b", "c"]), ("b", ["a"]), ("c", ["a"]), ("a", [])]) == [
        "* m",
        "|\\",
        "* | b",
        "| * c",
        "|/",
        "* a",
    ]


def test_unrelated_roots_end_their_lanes() -> None:
    assert drawn([("b", []), ("a", [])]) == ["* b", "* a"]


def test_a_narrow_table_breaks_between_words_and_keeps_ids_whole() -> None:
    rows = [["a84fa28e3e v4: labels put right", "rolled back", "2024-04-22 02:00Z", "7", "unknown"]]
    head = ("release", "", "first live", "missed on data/val/static.csv", "unneeded on data/live/w3.csv")
    text = to_text(Columns(rows, head=head, right=(3, 4), wrap=range(5)), width=58)
    assert "…" not in text and max(map(len, text.splitlines())) <= 58
    for word in ("a84fa28e3e", "rolled", "2024-04-22", "02:00Z", "missed on", "unneeded", "labels"):
        assert re.search(rf"(^|\s){word}(\s|$)", text, re.MULTILINE), word
