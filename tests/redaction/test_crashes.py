"""A redaction killed, or out of disk, at its system calls: nothing else is lost, and the next command ends the work."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mlver.errors import Redacted
from mlver.repo.repository import Repository
from mlver.testing import Killed
from mlver.verbs.gc import gc
from mlver.verbs.promote import promote
from mlver.verbs.redact import finish_redactions, redact, redactions
from tests.gc.beside import still
from tests.gc.test_crashes import opened, rounds
from tests.kit import Bench
from tests.redaction.world import holds, noise, sound, text

SECRET = b"AKIA-very-secret-key-0003"
BIG = "data/big.bin"
_EVERY = "MLVER_EXPLORE" in os.environ  # every call, not a sample


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A secret in the packs, in the trash, in quarantine and in a release on disk."""
    root = tmp_path_factory.mktemp("crash") / "repo"
    with still():
        bench = Bench(root)
        bench.write(BIG, noise(0, 70_000) + SECRET)
        bench.write("models/m.bin", SECRET + text(1))
        bench.commit("one")
        promote(bench.repo, "prod", "HEAD", reason="go")
        bench.write("models/m.bin", noise(2))
        bench.write("data/more.bin", noise(3))
        bench.commit("two")
        promote(bench.repo, "prod", "HEAD", reason="on")
        with bench.repo.store.session() as session:
            session.put_bytes(SECRET)
            session.finish()
        gc(bench.repo, grace="1h", full=True)
        aside = root / ".mlver/quarantine"
        aside.mkdir(exist_ok=True)
        (aside / f"2-{'0' * 64}.pack").write_bytes(SECRET)
        for path in (root / BIG, root / "models/m.bin"):
            path.unlink()
        bench.repo.close()
    return root


def leaked(repo: Repository) -> object:
    return redact(repo, [BIG, "models/m.bin"], "leak", live=True)


@pytest.mark.parametrize(("fail", "step"), [(Killed, 17), (errno.ENOSPC, 53), (errno.EIO, 67)])
def test_one_cut_short_is_not_made_or_is_ended_by_the_next_command(
    fail: int | type[Killed], step: int, scene: Path, tmp_path: Path
) -> None:
    step = 1 if _EVERY else step
    recorded = 0
    for copy, rig in rounds(scene, tmp_path, leaked, fail, step, 150):
        where = f"call {len(rig.log)}: {rig.log[-1]}"
        with opened(copy) as repo:  # which ends what was recorded
            made = bool(redactions(repo).redactions)
            recorded += made
            assert bool(holds(copy, SECRET)) is not made, where
            head = repo.resolve("HEAD")
            if made:
                with pytest.raises(Redacted):
                    repo.store.get(repo.snapshot(repo.resolve("HEAD~1"))[BIG].id)
            else:
                redact(repo, [BIG, "models/m.bin"], "leak", live=True)
            assert holds(copy, SECRET) == [], where
            assert repo.snapshot(head).source("data/more.bin").open().read() == noise(3), where
            assert finish_redactions(repo).operation is None, where
        with Repository.open(copy, actor="ana") as repo:
            assert sound(repo), where
    assert recorded
