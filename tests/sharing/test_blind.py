"""The rig of interrupted pushes and clones finds builds that are wrong on purpose."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from mlver.repo.repository import FORMAT
from mlver.storage import durable
from mlver.testing import Killed
from mlver.verbs import clone
from tests.fault.defects import head_before_pack, index_before_pack, left_behind
from tests.sharing.test_interrupted import ACTS, broken, calls_of, make_world

NAMING = ("rename", "link")


@contextmanager
def born_early() -> Iterator[None]:
    """A clone is a repository before anything is in it."""
    ground = clone._ground

    def marked(source: Path, target: Path, bare: bool) -> Path:
        dot = ground(source, target, bare)
        durable.write_file(dot / "format", FORMAT)
        return dot

    with patch.object(clone, "_ground", marked):
        yield


Wrong = Callable[[], AbstractContextManager[None]]
BUILDS: dict[str, tuple[Wrong, str, int | type[Killed], tuple[str, ...], str]] = {
    "the head there before the pack": (head_before_pack, "push", Killed, NAMING, "is missing"),
    "a pack that is believed before it is there": (index_before_pack, "push", Killed, NAMING, "again: "),
    "a temporary file that stays": (left_behind, "push", errno.ENOSPC, ("write",), ": left ["),
    "a clone that is a repository too early": (born_early, "clone", Killed, NAMING, "both head slots are"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("sharing") / "world")


@pytest.mark.parametrize("name", BUILDS)
def test_it_finds(name: str, world: Path, tmp_path: Path) -> None:
    wrong, act, fail, only, said = BUILDS[name]

    def judged(at: int) -> str:
        try:
            broken(world, tmp_path / "w", ACTS[act], at, fail, only)
        except AssertionError as error:
            shutil.rmtree(tmp_path / "w")
            return str(error)
        return ""

    for at in range(1, len(calls_of(world, tmp_path / "w", ACTS[act], only)) + 1):
        with wrong():
            found = judged(at)
        if found:
            assert said in found and judged(at) == "", "the sound build passes the same round"
            return
    raise AssertionError("not found")
