"""The disk says no: read-only, full, small. Reading goes on, writing is refused, and the state stays whole."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import LocalIO, MlverError
from mlver.repo.repository import Repository
from mlver.storage import durable
from mlver.verbs.alerts import add_alert
from mlver.verbs.blame import blame
from mlver.verbs.branch import set_ref
from mlver.verbs.cat import cat
from mlver.verbs.config import set_config
from mlver.verbs.deployed import deployed
from mlver.verbs.diff import diff
from mlver.verbs.fsck import fsck
from mlver.verbs.lineage import lineage
from mlver.verbs.log import log
from mlver.verbs.metrics import add_metrics, show_metrics
from mlver.verbs.note import add_note, list_notes
from mlver.verbs.promote import promote, rollback
from mlver.verbs.restore import restore
from mlver.verbs.show import show
from mlver.verbs.status import status
from mlver.verbs.switch import switch
from mlver.verbs.undo import op_log, undo
from tests.badinput.kit import mlver, one_line, refused, small
from tests.fault.rig import WRITING
from tests.kit import Bench

READS: list[Callable[[Repository], object]] = [
    status, log, show, diff, fsck, op_log, list_notes, show_metrics,
    lambda repo: diff(repo, "HEAD~1", "HEAD"),
    lambda repo: blame(repo, "prod"),
    lambda repo: blame(repo, "data/t.csv#2"),
    lambda repo: cat(repo, "data/t.csv@HEAD~1", lambda _: None),
    lambda repo: deployed(repo, "prod"),
    lambda repo: lineage(repo, "HEAD"),
    lambda repo: rollback(repo, "prod", dry_run=True),
    lambda repo: restore(repo, rev="HEAD~1", force=True, dry_run=True),
]  # fmt: skip
WRITES: dict[str, Callable[[Bench], object]] = {
    "commit": lambda bench: bench.commit("x"),
    "note": lambda bench: add_note(bench.repo, "HEAD", "x"),
    "metrics": lambda bench: add_metrics(bench.repo, "HEAD", {"recall": 0.5}),
    "alert": lambda bench: add_alert(bench.repo, "x", at=bench.clock()),
    "tag": lambda bench: set_ref(bench.repo, "tag", "t", "HEAD"),
    "switch": lambda bench: switch(bench.repo, "side"),
    "promote": lambda bench: promote(bench.repo, "dev"),
    "rollback": lambda bench: rollback(bench.repo, "prod", to="HEAD~1"),
    "undo": lambda bench: undo(bench.repo),
    "restore": lambda bench: restore(bench.repo, rev="HEAD~1", force=True),
    "config": lambda bench: set_config(bench.repo, "releases.keep", "5"),
}


def lively(root: Path) -> Bench:
    """A repository with something for every verb to do, and uncommitted work."""
    bench = small(root)
    set_ref(bench.repo, "branch", "side", "HEAD~1")
    promote(bench.repo, "prod", "HEAD~1")
    promote(bench.repo, "prod")
    add_note(bench.repo, "HEAD", "seen")
    bench.write("data/new.csv", "id,x\n7,8\n")
    return bench


@pytest.fixture(params=["with caches", "without caches"])
def read_only(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A repository on a file system that is mounted read-only; without root, in folders nobody may write."""
    bench = lively(tmp_path / "w")
    bench.repo.close()
    if request.param == "without caches":
        shutil.rmtree(bench.root / ".mlver/cache")
    place = tmp_path / "mounted"
    place.mkdir()
    mounted = subprocess.run(["mount", "--bind", str(bench.root), str(place)], capture_output=True).returncode == 0
    if mounted and subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], capture_output=True).returncode:
        subprocess.run(["umount", str(place)])
        mounted = False
    if not mounted:
        if os.geteuid() == 0:
            pytest.skip("may not mount here, and root may write everywhere")
        shutil.copytree(bench.root, place, symlinks=True, dirs_exist_ok=True)
        _allow(place, False)
    try:
        bench.root = place
        bench.reopen()
        yield bench
        bench.repo.close()
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)
        else:
            _allow(place, True)


def _allow(root: Path, writing: bool) -> None:
    for folder, _, names in os.walk(root):
        os.chmod(folder, 0o755 if writing else 0o555)
        for name in names:
            if not os.path.islink(os.path.join(folder, name)):
                os.chmod(os.path.join(folder, name), 0o644 if writing else 0o444)


def test_everything_can_be_read_on_a_read_only_disk(read_only: Bench) -> None:
    for read in READS:
        read(read_only.reopen())
    for words in (["status"], ["blame", "prod"]):
        assert mlver(read_only.root, *words).returncode == 0


@pytest.mark.parametrize("write", WRITES)
def test_every_write_is_refused_on_a_read_only_disk(read_only: Bench, write: str) -> None:
    with refused(read_only.root, LocalIO):
        WRITES[write](read_only)
    if write == "commit":
        done = mlver(read_only.root, "commit", "-m", "x")
        assert done.returncode == 7 and b"read-only" in done.stderr


class ReadOnlyCalls:
    """The system calls as a read-only file system has them."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        real = getattr(durable.OsCalls, name)

        def call(*args: Any, **more: Any) -> object:
            if name != "open" or args[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                raise OSError(errno.EROFS, "Read-only file system")
            return real(*args, **more)

        return call if name in WRITING else real


@pytest.mark.parametrize("write", WRITES)
def test_every_write_is_refused_when_the_system_says_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    bench = lively(tmp_path)
    monkeypatch.setattr(durable, "os_calls", ReadOnlyCalls())
    with refused(tmp_path, LocalIO, "read-only"):
        WRITES[write](bench)
    bench.reopen()
    for read in READS:
        read(bench.repo)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of one MiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)], capture_output=True).returncode:
        pytest.skip("may not mount here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_full_is_said_and_nothing_is_lost(tiny: Path) -> None:
    bench = lively(tiny)
    head = bench.repo.state.id
    bench.write("models/big.bin", os.urandom(300_000))
    (tiny / "filler").write_bytes(bytes(max(0, shutil.disk_usage(tiny).free - 8192)))
    bench.write(".mlverignore", "filler\n")
    for write in ("commit", "restore"):
        if write == "restore":
            (tiny / "filler").write_bytes(bytes((tiny / "filler").stat().st_size + shutil.disk_usage(tiny).free))
        try:
            WRITES[write](bench)
        except MlverError as error:
            assert error.exit_code == 7 and "full" in error.message and one_line(error)
        else:
            assert write == "restore"
    bench.reopen()
    assert bench.repo.state.id == head and fsck(bench.repo).ok
    done = mlver(tiny, "commit", "-m", "x")
    assert done.returncode == 7 and b"full" in done.stderr
    for words in (["status"], ["log"], ["fsck"]):
        assert mlver(tiny, *words).returncode == 0, "a full disk can be read"
    assert list(tiny.rglob(".tmp-*")) == []
    (tiny / "filler").unlink()
    bench.commit("there is room again")
    assert fsck(bench.reopen()).ok


def test_a_file_larger_than_the_system_allows_is_said(tmp_path: Path) -> None:
    bench = lively(tmp_path)
    bench.write("models/big.bin", os.urandom(900_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    try:
        with refused(tmp_path, LocalIO, "too large"):
            bench.commit("x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    bench.commit("x")
    assert fsck(bench.repo).ok


def test_too_many_open_files_are_said(tmp_path: Path) -> None:
    bench = lively(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(LocalIO) as caught:
            bench.commit("x")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert one_line(caught.value)
    bench.commit("x")
    assert fsck(bench.repo).ok
