"""More than 300 odd names make the whole way: commit, promote, clone, restore, evidence; and are shown."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mlver.render import lines
from mlver.repo import treebuild
from mlver.verbs import evidence_parts
from tests.fault.names import run, settled
from tests.fault.odd_names import odd
from tests.kit import Bench

FOLDERS = ("", "data/", "cfg/ deep/")
_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")  # what a terminal obeys


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("odd")
    with laid_out(folder, contents(odd())):
        yield folder


@contextmanager
def laid_out(folder: Path, wanted: dict[str, str]) -> Iterator[None]:
    """Lay the files out in a work tree, as somebody with a home of their own."""
    with settled(folder):
        bench = Bench(folder / "w")
        bench.commit("nothing", allow_empty=True)
        for path, text in wanted.items():
            bench.write(path, text)
        bench.repo.close()
        yield


def contents(names: Sequence[str]) -> dict[str, str]:
    """Return the text of every file by its path: each name stands in one of the folders."""
    found = {FOLDERS[number % 3] + name: f"{number}\n" for number, name in enumerate(names)}
    return found | {".mlverignore": "!*~\n"}  # what editors leave behind is left out otherwise


def on_disk(folder: Path) -> dict[str, str]:
    found = {}
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".mlver"]
        found |= {os.path.relpath(os.path.join(at, name), folder): Path(at, name).read_text() for name in names}
    return found


def told(folder: Path, *words: str) -> str:
    shown = io.BytesIO()
    code, said = run(folder, list(words), shown)
    assert code == 0, said
    text = shown.getvalue().decode()
    assert not _ACTS.search(text + said), f"{words}: {_ACTS.findall(text + said)[:3]}"
    return text


def document(folder: Path, *words: str) -> dict[str, object]:
    text = told(folder, *words, "--json")
    assert text.isascii()
    found: dict[str, object] = json.loads(text)
    return found


def whole_way(place: Path, wanted: dict[str, str]) -> None:
    """Fail unless all files make the whole way and come back to the byte."""
    work = place / "w"
    told(work, "status")
    told(work, "commit", "-m", "odd")
    assert document(work, "status")["changes"] == []
    told(work, "promote", "prod", "--reason", "r")
    served = on_disk(work / ".mlver/releases/prod/all/current/")
    assert served.items() <= wanted.items() and len(served) > len(wanted) / 2  # tables are not served
    told(place, "clone", str(work), str(place / "copy"))
    assert on_disk(place / "copy") == wanted
    told(work, "restore", "--to", str(place / "out"))
    assert on_disk(place / "out") == wanted
    for path in wanted:
        (work / path).unlink()
    told(work, "restore")
    assert on_disk(work) == wanted and document(work, "status")["changes"] == []
    told(work, "evidence", "HEAD", "--with-files", "--out", str(place / "e.tar"))
    told(work, "evidence", "--verify", str(place / "e.tar"))
    with tarfile.open(place / "e.tar") as archive:
        members = {member.name.partition("/files/")[2] for member in archive.getmembers()}
    assert wanted.keys() <= members
    told(work, "fsck")


def shown(work: Path, names: Sequence[str]) -> None:
    """Fail unless the names that the newest commit brought are shown, and none acts on the terminal."""
    for words in (
        ["diff", "HEAD~1", "HEAD"], ["diff", "--stat", "HEAD~1", "HEAD"], ["diff", "--md", "HEAD~1", "HEAD"], ["log"],
        ["diff", "--name-only", "HEAD~1", "HEAD"], ["show"], ["blame", "HEAD"], ["lineage", "HEAD"], ["op", "log"],
    ):  # fmt: skip
        assert told(work, *words)
    said = json.dumps(document(work, "diff", "HEAD~1", "HEAD"), ensure_ascii=False)
    lost = [name for name in names if json.dumps(name, ensure_ascii=False)[1:-1] not in said]
    assert lost == []


def test_every_odd_name_makes_the_whole_way(place: Path) -> None:
    wanted = contents(odd())
    assert len(wanted) >= 300
    whole_way(place, wanted)


def test_every_odd_name_is_shown_and_none_acts_on_the_terminal(place: Path) -> None:
    shown(place / "w", odd())


FEW = ("Case", "e\u0301", "\x1b[31mred", "a b", "%2e", "v1..v2")
_entry, _blob = treebuild.Entry, evidence_parts._blob
# what is wrong: what is replaced by what, and what the rig says
WRONG: dict[str, tuple[object, str, Any, str]] = {
    "a name normalised": (
        treebuild, "Entry", lambda name, *more: _entry(unicodedata.normalize("NFC", name), *more), "data/e\u0301"),
    "a name without its capitals": (treebuild, "Entry", lambda name, *more: _entry(name.lower(), *more), "Case"),
    "a name quoted in an archive": (
        evidence_parts, "_blob", lambda repo, name, *more: _blob(repo, quote(name, safe="/"), *more),
        "assert 1 == 0"),
    "a name that acts on the terminal": (lines, "safe", str, "x1b"),
}  # fmt: skip


@pytest.mark.parametrize("name", [None, *WRONG])
def test_a_build_that_has_names_wrong_is_found(
    name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = contents(FEW)
    with laid_out(tmp_path, wanted):
        if name is None:
            whole_way(tmp_path, wanted)
            shown(tmp_path / "w", FEW)
            return
        *words, said = WRONG[name]
        monkeypatch.setattr(*words)
        with pytest.raises(AssertionError, match=said):
            whole_way(tmp_path, wanted)
            shown(tmp_path / "w", FEW)
