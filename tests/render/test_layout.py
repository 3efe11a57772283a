"""Our layout of pages is rich's, byte for byte."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style

from mlver.render.cells import NARROW, breaks, cells, fitted
from mlver.render.console import to_text
from mlver.render.layout import Indented, Line, Piece, Tree
from mlver.render.lines import Columns, Part, as_is, blank, indented, line, paragraphs, stacked, whole
from mlver.render.theme import THEME
from tests.render.drawn_by_rich import rich_text

LABELS = [*THEME.styles, "", "no label of ours"]
WORDS = [
    "a",
    "é",
    "数据",
    "\uff46\uff55",
    "e\u0301",
    "\u2708\ufe0f",
    "\ufe0f",
    "👩\u200d🔬",
    "👍🏽",
    "ไทย",
    "→",
    "…",
    "×",
]
WORDS += [
    "0.953",
    "data/train.csv",
    "",
    " ",
    "   ",
    "\xa0",
    "\u3000",
    "\t",
    "\n",
    "x" * 30,
    "数" * 45,
    "y" * 90,
    "a b c d",
]

texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=8).map(" ".join)
parts: st.SearchStrategy[Part] = texts | st.tuples(texts, st.sampled_from(LABELS))
lines = st.one_of(
    st.lists(parts, max_size=4).map(lambda few: line(*few)),
    st.lists(parts, max_size=4).map(lambda few: line(*few, wrap=True)),
    st.lists(parts, max_size=4).map(lambda few: whole(*few)),
    st.builds(lambda one, two: line(one, two, wrap=True), parts, st.builds(line, parts)),
    st.builds(blank),
)


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    count = draw(st.integers(1, 9))
    some = st.lists(st.integers(0, count - 1), max_size=count, unique=True)
    row = st.lists(st.none() | parts | lines, min_size=count, max_size=count)
    return Columns(
        draw(st.lists(lines | row | st.lists(parts, min_size=1, max_size=count), max_size=5)),
        head=draw(st.just(()) | st.lists(texts, min_size=count, max_size=count)),
        right=draw(some),
        grow=draw(st.integers(-1, count - 1)),
        wrap=draw(some),
        tail=draw(st.just([]) | st.just([0])),
        gap=draw(st.sampled_from([2, 2, 1, 0])),
    )


def nested(inner: st.SearchStrategy[Piece]) -> st.SearchStrategy[Piece]:
    few = st.lists(inner, max_size=3)
    label = st.lists(lines, min_size=1, max_size=2).map(stacked)
    trees = st.builds(Tree, label, st.lists(st.builds(Tree, label, st.lists(st.builds(Tree, label), max_size=2))))
    return st.one_of(
        few.map(stacked),
        few.map(lambda pieces: paragraphs(*pieces)),
        st.builds(indented, inner, st.sampled_from([2, 4, 9])),
        trees,
    )


pieces = st.recursive(lines | columns(), nested, max_leaves=5)


@settings(max_examples=120, deadline=None)
@given(pieces, st.sampled_from([40, 80, 100, 200]), st.booleans())
def test_a_page_is_laid_out_as_rich_would(page: Piece, width: int, color: bool) -> None:
    assert to_text(page, width=width, color=color) == rich_text(page, width=width, color=color)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20), texts, st.booleans())
def test_a_name_stands_before_what_it_means_as_in_a_table_of_rich(name: str, said: str, color: bool) -> None:
    page = Indented(line(said, wrap=True), 22, mark=whole((name, "unit")))
    for width in (40, 80):
        assert to_text(page, width=width, color=color) == rich_text(page, width=width, color=color)


@given(st.text(st.characters(codec="utf-8")), st.integers(1, 30))
def test_cells_are_counted_as_rich_counts_them(text: str, room: int) -> None:
    assert cells(text) == cell_len(text)
    if cells(text) > room:
        assert cells(fitted(text, room)) == room


def test_characters_said_to_be_narrow_are() -> None:
    assert {cell_len(character) for character in NARROW} == {1}


def test_words_wider_than_the_page_are_broken_and_others_are_not() -> None:
    assert breaks("a bb ccc", 4) == [5]
    assert breaks("a bbbbbbbbb c", 4) == [2, 6, 10]
    assert breaks("数据数据", 4) == [2]
    assert breaks("", 4) == []


@pytest.mark.parametrize(("label", "words"), THEME.styles.items())
def test_a_label_has_the_codes_that_rich_gives_it(label: str, words: str) -> None:
    from rich.color import ColorSystem

    drawn = Style.parse(words).render("text", color_system=ColorSystem.STANDARD)
    assert THEME.dressed("text", label) == drawn
    assert (drawn == "text") == (words == "none")


def test_text_without_a_label_or_without_text_has_no_codes() -> None:
    assert THEME.dressed("text", "") == THEME.dressed("text", "unheard of") == "text"
    assert THEME.dressed("", "id") == ""


def test_a_piece_can_stand_in_what_rich_draws() -> None:
    console = Console(file=io.StringIO(), width=20, color_system="standard", force_terminal=True)
    console.print(indented(stacked([line(("ok", "good"), " " + "x" * 30), blank(), Line("done")])))
    file = console.file
    assert isinstance(file, io.StringIO)
    assert [row.rstrip() for row in file.getvalue().splitlines()] == [
        "  \x1b[32mok\x1b[0m xxxxxxxxxxxxxx…",
        "",
        "  done",
    ]


def test_text_for_programs_stays_as_it_is() -> None:
    text = '{\n  "a": "' + "x" * 90 + '"\n\n}'
    assert to_text(as_is(text), width=40) == text + "\n"
    assert as_is(text).plain == text
