"""A file system that has no locks: what reads works, what writes is refused in plain words, and nothing is changed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.errors import LocalIO
from mlver.repo.repository import Repository
from mlver.storage.syscalls import OsCalls
from mlver.verbs.branch import set_ref
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from mlver.verbs.gc import gc
from mlver.verbs.log import log
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote, rollback
from mlver.verbs.status import status
from tests.kit import Bench

WRITES: dict[str, Callable[[Repository], object]] = {
    "commit": lambda repo: commit(repo, "second"),
    "tag": lambda repo: set_ref(repo, "tag", "v2"),
    "note": lambda repo: add_note(repo, "HEAD", "x"),
    "promote": lambda repo: promote(repo, "prod", "v1"),
    "rollback": lambda repo: rollback(repo, "prod", to="v1"),
    "gc": lambda repo: gc(repo, grace="0"),
}


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_locks_reading_works_and_writing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    bench = Bench(tmp_path / "repo")
    for version in ("v1", "v2"):
        bench.write("models/m.bin", version.encode() * 100)
        bench.commit(version)
        set_ref(bench.repo, "tag", version if version == "v1" else "other")
        promote(bench.repo, "prod")
    bench.write("models/m.bin", b"new")

    def flock(fd: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(OsCalls, "flock", staticmethod(flock))
    for name, act in WRITES.items():
        repo = bench.reopen()
        with pytest.raises(LocalIO, match="this file system has no locks") as caught:
            act(repo)
        assert caught.value.exit_code == 7 and "local disk" in str(caught.value.hint), name
    repo = bench.reopen()
    assert [entry.message for entry in log(repo).commits] == ["v2", "v1"] and not status(repo).clean
    assert repo.commit(repo.view.stages["prod"][""].commit).message == "v2" and fsck(repo).problems == ()
