"""More than 300 odd names make the whole way: commit, promote, clone, restore, evidence; and are shown."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.names import run, settled
from tests.fault.odd_names import odd
from tests.kit import Bench

FOLDERS = ("", "data/", "cfg/ deep/")
_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")  # what a terminal obeys


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("odd")
    with settled(folder):
        bench = Bench(folder / "w")
        bench.commit("nothing", allow_empty=True)
        for path, text in contents().items():
            bench.write(path, text)
        bench.repo.close()
        yield folder


def contents() -> dict[str, str]:
    """Return the text of every file by its path: each name stands in one of the folders."""
    found = {FOLDERS[number % 3] + name: f"{number}\n" for number, name in enumerate(odd())}
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


def test_every_odd_name_makes_the_whole_way(place: Path) -> None:
    wanted, work = contents(), place / "w"
    assert len(wanted) >= 300
    told(work, "status")
    told(work, "commit", "-m", "odd")
    assert document(work, "status")["changes"] == []
    told(work, "promote", "prod", "--reason", "r")
    served = work / ".mlver/releases/prod/all/current/"
    assert on_disk(served).items() <= wanted.items() and len(on_disk(served)) > 200  # tables are not served
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
    assert len(members & wanted.keys()) == len(wanted) or len(members) > len(wanted)
    told(work, "fsck")


def test_every_odd_name_is_shown_and_none_acts_on_the_terminal(place: Path) -> None:
    work = place / "w"
    for words in (
        ["diff", "HEAD~1", "HEAD"], ["diff", "--stat", "HEAD~1", "HEAD"], ["diff", "--md", "HEAD~1", "HEAD"], ["log"],
        ["diff", "--name-only", "HEAD~1", "HEAD"], ["show"], ["blame", "HEAD"], ["lineage", "HEAD"], ["op", "log"],
    ):  # fmt: skip
        assert told(work, *words)
    names = json.dumps(document(work, "diff", "HEAD~1", "HEAD"), ensure_ascii=False)
    lost = [name for name in odd() if json.dumps(name, ensure_ascii=False)[1:-1] not in names]
    assert lost == []
