"""The rigs of caches and disks find builds that are wrong on purpose."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlver.index import cache_file, stats
from mlver.index.cache_file import CacheFile, _prepared
from mlver.index.seal import Seal
from tests.fault import mounts, mounts_broken
from tests.fault.cache_rows import lying_rounds, warm
from tests.fault.caches import failing_rounds, spoil_rounds
from tests.fault.rig import Round, Scene, Stage, stage
from tests.fault.words import READS


@pytest.fixture(scope="module")
def on() -> Iterator[Stage]:
    with stage() as made:
        yield made


def _believing(key: bytes, found: tuple[Any, ...]) -> stats.FolderRow:
    rules, listing, *rest, _ = found
    return stats.FolderRow(rules, os.fsdecode(listing), *rest)


def _stubborn(path: Path | None, *words: Any) -> sqlite3.Connection:
    """Open a cache; try again for as long as somebody else has its lock."""
    while True:
        try:
            return _prepared(path, *words)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise


# what is replaced by what; the command that shows it; its rounds; what the rig says
WRONG: dict[str, tuple[object, str, Any, str, Callable[[Scene], Iterator[Round]], str]] = {
    "a row of a cache is believed as it stands": (
        stats, "_row", _believing, "status", lambda scene: lying_rounds(scene, ("stats.db",)), "another answer"),
    "a cache is believed without its seal": (
        Seal, "is_whole", lambda self, db: True, "query", lambda scene: lying_rounds(scene, ("index.db",), "message"),
        "another answer"),
    "an error of SQLite escapes": (
        CacheFile, "again", lambda self, work: work(), "note", lambda scene: failing_rounds(scene, 4), "exit 7"),
    "a lock of a cache is waited for": (
        cache_file, "_prepared", _stubborn, "note", lambda scene: spoil_rounds(scene, ["held"]), "it tried 51 times"),
    "long patience with who has a lock": (
        cache_file, "_PATIENCE", 600.0, "log", lambda scene: failing_rounds(scene, 1), "it would wait 600 s"),
    "a pipe is opened like a file": (
        cache_file, "is_plain", lambda path: True, "repair --dry-run",
        lambda scene: spoil_rounds(scene, ["a pipe 8"]), "waits for a pipe"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_rig_of_caches_finds(on: Stage, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, wrong, command, rounds, said = WRONG[name]
    scene = on.scene(command, READS[command])
    warm(scene)
    assert [str(round_) for round_ in rounds(scene) if round_.problems] == []
    monkeypatch.setattr(where, what, wrong)
    found = [problem for round_ in rounds(scene) for problem in round_.problems]
    assert any(said in problem for problem in found), found


def test_the_rig_of_disks_finds_what_is_wrong_where_nothing_can_be_written() -> None:
    if why := mounts.unable():
        pytest.skip(why)
    said = mounts_broken.inside()
    assert said.pop("nothing, on a full disk") == said.pop("nothing, on a sealed disk") == []
    for build, expected in {
        "a full disk is taken for success": "it said that it was done, and is not: old",
        "a temporary file stays on a full disk": "left behind: ",
        "a reader has to write": "exit 7",
    }.items():
        assert any(problem.startswith(expected) for problem in said.pop(build)), build
    assert not said
