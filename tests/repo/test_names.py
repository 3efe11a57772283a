"""The gate for names."""

from __future__ import annotations

import pytest

from mlver.errors import Refused, UsageError
from mlver.repo.names import check_name, check_path, check_ref

HOSTILE = [
    "", ".", "..", "a/b", "a\\b", "a\0b", ".mlver", ".MLVER", ".Mlver ", ".mlver.", ".mlver . .", "MLVER~1", "mlver~12",
    ".git", ".GIT", "git~1", ".git ", ".git::$INDEX_ALLOCATION", ".mlver:x", ".g\u200cit", ".ml\u200dver",
    "\ufeff.git", "\uff0egit", "bad\udcff.csv", "x" * 256, "é" * 128,
]  # fmt: skip
LEGITIMATE = [
    "train.csv", "a b", "-x", "--help", "#1", "ünïcode.csv", "日本語.parquet", "ab:c", "2024-01-01T10:00.csv",
    "new\nline",
    "tab\there", "quote'\"", "$HOME", "*", "?", "con", "nul.txt", "COM1", ".env.example", ".gitignore", ".mlverignore",
    ".gitattributes", "git", "mlver", "mlver.toml", "a..b", "...", "x~1", "\u202etxt.exe", "e\u0301",
    "🙂.bin", "x" * 255,
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(Refused) as caught:
        check_name(name)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", LEGITIMATE)
def test_an_odd_but_honest_name_passes(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "path", ["a/../b", "/etc/passwd", "a//b", "a/", "./a", "x/.git/hooks/pre-commit", "a/" * 300 + "b"]
)
def test_every_part_of_a_path_is_checked(path: str) -> None:
    with pytest.raises(Refused):
        check_path(path)


@pytest.mark.parametrize("name", ["main", "exp/features", "v1.2", "clinic=C", "release-2024_04", "x+y"])
def test_ordinary_refs_pass(name: str) -> None:
    assert check_ref(name) == name


@pytest.mark.parametrize(
    "name", ["", "-x", "HEAD", "head", "a b", "a..b", "a/", "/a", "a.lock", "a@{1}", "deadbeef", "x~1", ".a"]
)
def test_refs_that_read_as_something_else_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        check_ref(name)
