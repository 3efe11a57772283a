"""A redaction beside a writer that shares chunks with what goes, one in the middle of the other."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlver.errors import MlverError, Redacted
from mlver.repo.repository import Repository
from mlver.verbs.commit import commit
from mlver.verbs.promote import promote
from mlver.verbs.redact import redact
from tests.gc.beside import still
from tests.gc.between import ALL, CHANGES, Between, between
from tests.kit import Bench, Ticking
from tests.redaction.world import noise, sound

BIG, COPY = "data/big.bin", "data/copy.bin"
_EVERY = "MLVER_EXPLORE" in os.environ  # every call, not a sample


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A large file, and in the work tree one that shares most of its chunks."""
    root = tmp_path_factory.mktemp("beside") / "repo"
    with still():
        bench = Bench(root)
        bench.write(BIG, noise(1, 250_000))
        bench.commit("one")
        (root / BIG).unlink()
        bench.write(COPY, noise(1, 250_000) + b"and more")
        bench.repo.close()
    return root


def opened(root: Path) -> Repository:
    return Repository.open(root, actor="ana", clock=Ticking())


def act(root: Path, what: Callable[[Repository], object]) -> MlverError | None:
    with opened(root) as repo:
        try:
            what(repo)
        except MlverError as error:
            return error
    return None


def write(repo: Repository) -> None:
    commit(repo, "a copy")
    promote(repo, "prod", "HEAD", reason="go")


def erase(repo: Repository) -> None:
    redact(repo, [BIG], "leak")


def interleaved(
    scene: Path,
    folder: Path,
    outer: Callable[[Repository], object],
    inner: Callable[[Repository], object],
    names: tuple[str, ...],
    step: int,
) -> Iterator[tuple[Path, MlverError | None, list[MlverError | None], Between]]:
    at = 1
    while True:
        root = folder / "round"
        shutil.copytree(scene, root, symlinks=True)
        said: list[MlverError | None] = []
        with between(at, lambda: said.append(act(root, inner)), names) as rig:  # noqa: B023 - runs within the round
            error = act(root, outer)
        if not rig.fired:
            assert at > 3 * step
            return
        yield root, error, said, rig
        shutil.rmtree(root)
        at += step


@pytest.mark.parametrize(
    ("outer", "inner", "names", "step"), [(erase, write, ALL, 15), (write, erase, ALL, 17), (write, erase, CHANGES, 2)]
)
def test_both_are_done_in_full_or_one_says_that_it_was_not(
    outer: Callable[[Repository], object],
    inner: Callable[[Repository], object],
    names: tuple[str, ...],
    step: int,
    scene: Path,
    tmp_path: Path,
) -> None:
    both = 0
    step = 1 if _EVERY else step
    for root, error, said, rig in interleaved(scene, tmp_path, outer, inner, names, step):
        where = f"{len(rig.log)}: {rig.log[-1]}"
        for failed, what in ((error, outer), (said[0], inner)):
            if failed is not None:
                assert failed.exit_code == 4, (where, failed)
                assert act(root, what) is None, where
        both += error is None and said == [None]
        with opened(root) as repo:
            assert repo.snapshot(repo.resolve("HEAD")).source(COPY).open().read().endswith(b"and more"), where
            with pytest.raises(Redacted):
                repo.store.get(repo.snapshot(repo.resolve("HEAD~1"))[BIG].id)
            assert sound(repo), where
    assert both


def test_what_a_redaction_took_from_a_commit_that_was_under_way_is_stored_again(scene: Path, tmp_path: Path) -> None:
    root = tmp_path / "round"
    shutil.copytree(scene, root, symlinks=True)
    time.sleep(0.1)  # so that the stat data of the work tree prove something
    with between(1, lambda: act(root, erase), ("commit",)) as rig:
        assert act(root, write) is None
    assert rig.fired
    with opened(root) as repo:
        assert repo.snapshot(repo.resolve("HEAD")).source(COPY).open().read() == noise(1, 250_000) + b"and more"
        assert sound(repo)
