"""Every command shown in the documentation is executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import pages

FOLDERS = ("docs", "examples")
PAGES = [pages.ROOT / "README.md", *(page for name in FOLDERS for page in sorted((pages.ROOT / name).rglob("*.md")))]


@pytest.mark.parametrize("page", [page.relative_to(pages.ROOT).as_posix() for page in PAGES])
def test_the_commands_of_a_page_do_what_it_shows(page: str, tmp_path: Path) -> None:
    installed = page == "README.md"  # what is read first is tried as it will be
    assert pages.run((pages.ROOT / page).read_text(), tmp_path, installed=installed) == []


def test_every_page_was_looked_at() -> None:
    looked_at = {page.relative_to(pages.ROOT).as_posix() for page in PAGES}
    assert {"README.md", "docs/design/dependencies.md", "examples/clinic/README.md"} <= looked_at


def page(text: str) -> str:
    return f"# Title\n\n```console\n{text}\n```\n\nEnd.\n"


@pytest.mark.parametrize(
    "text",
    [
        "$ echo one",
        "$ echo one\none",
        "$ printf 'one\\ntwo\\nthree\\n'\none\n...",
        "$ printf 'one\\ntwo\\nthree\\n'\n...\nthree",
        "$ echo commit 4f2a by ana\ncommit ... by ana",
        "$ false # exit 1",
        "$ (exit 3)   # exit 3",
        "$ echo oops >&2\noops",
        "$ A=1\n$ echo $A\n1",
        "$ mkdir sub && cd sub\n$ basename $PWD\nsub",
        "$ cat > x.txt <<EOF\n> hello\n> EOF\n$ cat x.txt\nhello",
        "$ printf 'a\\n\\nb\\n'\na\n\nb",
        "$ echo $MLVER_AUTHOR $MLVER_DATE\nAna <ana@clinic.example> 2024-02-05T09:00Z",
        "$ python -c 'import mlver, sys; print(sys.version_info >= (3, 11))'\nTrue",
    ],
)
def test_a_true_page_passes(text: str, tmp_path: Path) -> None:
    assert pages.run(page(text), tmp_path) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("$ false", "line 4: `false` ended with 1, not 0"),
        ("$ true # exit 1", "ended with 0, not 1"),
        ("$ echo one\ntwo", "said otherwise than the page. It said:\none"),
        ("$ printf 'one\\ntwo\\n'\none", "said otherwise"),
        ("$ echo one\none\n...\nthree", "said otherwise"),
        ("$ true\nsomething", "said otherwise"),
        ("$ exit 0\n$ echo never", "the shell ended before"),
        ("$ no-such-program-anywhere", "ended with 127"),
    ],
)
def test_an_untrue_page_is_told_by_line(text: str, says: str, tmp_path: Path) -> None:
    wrong = pages.run(page(text), tmp_path)
    assert len(wrong) == 1
    assert says in wrong[0]


def test_commands_after_a_wrong_one_are_still_tried(tmp_path: Path) -> None:
    wrong = pages.run(page("$ false\n$ echo one\n$ false"), tmp_path)
    assert [text.split(":")[0] for text in wrong] == ["line 4", "line 6"]


def test_blocks_of_other_languages_are_left_alone(tmp_path: Path) -> None:
    assert pages.commands("```bash\n$ false\n```\n\n```\n$ false\n```\n") == []


def test_blocks_of_one_page_share_a_shell(tmp_path: Path) -> None:
    text = page("$ X=7") + page("$ echo $X\n7")
    assert len(pages.commands(text)) == 2
    assert pages.run(text, tmp_path) == []
