"""Work done by workers comes out as it does without them: the same ids, the same differences."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlver.errors import Damaged, LocalIO, UsageError
from mlver.objects.ids import BlobId
from mlver.repo import file_jobs, part_jobs
from mlver.repo.jobs import Jobs, jobs_for, working
from mlver.repo.repository import Repository
from mlver.repo.settings import Settings, write_setting
from mlver.verbs.commit import commit
from mlver.verbs.config import get_config, set_config
from mlver.verbs.diff import diff
from mlver.verbs.fsck import fsck
from mlver.verbs.status import status

NOW = datetime(2024, 2, 5, 9, tzinfo=UTC)
BACKENDS = ("threading", "loky", "dask")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a real cluster of two workers, each a process of its own."""
    distributed = pytest.importorskip("distributed", reason="pip install 'mlver[dask]'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


def user_file(folder: Path, **settings: str) -> Path:
    path = folder / "user.toml"
    path.write_text("[jobs]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    return path


def opened(root: Path, user: Path | None = None) -> Repository:
    return Repository.init(root, actor="Ana", clock=lambda: NOW, user_config=user)[0]


@pytest.fixture(params=BACKENDS)
def with_jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path], Repository]:
    """Open a repository whose user has the backend in their settings."""
    settings = {"backend": request.param}
    if request.param == "dask":
        settings["address"] = request.getfixturevalue("scheduler")
    user = user_file(tmp_path, **settings)
    return lambda root: opened(root, user)


def table(day: int, edited: bool = False) -> pa.Table:
    n = [99 if edited and row == 3 else row % 7 for row in range(200)]
    return pa.table({"id": range(day * 200, day * 200 + 200), "n": n, "name": [f"P{day}-{row}" for row in range(200)]})


def lay_out(root: Path, edited: bool = False, days: int = 4) -> None:
    root.mkdir(exist_ok=True)
    (root / "mlver.toml").write_text('[[artifact]]\npath = "events/"\nkind = "data"\nkey = ["id"]\n')
    for day in range(days):
        folder = root / f"events/day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(day, edited and day > 1), folder / "p.parquet")
    for number in range(6):
        (root / f"notes-{number}.txt").write_bytes(b"%d, edited: %d\n" % (number, edited))
    (root / "weights.bin").write_bytes(os.urandom(0) + bytes(range(256)) * 2000)
    if not (root / "link").is_symlink():
        (root / "link").symlink_to("notes-1.txt")
        (root / ".mlverignore").write_text("link\n")


def test_ids_and_differences_are_those_of_one_process(tmp_path: Path, with_jobs: Callable[[Path], Repository]) -> None:
    told: list[list[Any]] = []
    for root, open_, jobs in ((tmp_path / "alone", opened, None), (tmp_path / "many", with_jobs, 2)):
        lay_out(root)
        with open_(root) as repo:
            first = commit(repo, "first", jobs=jobs)
            lay_out(root, edited=True)
            before = status(repo, jobs=jobs)
            work = diff(repo, jobs=jobs)
            second = commit(repo, "second", jobs=jobs)
            between = diff(repo, "HEAD~1", "HEAD", jobs=jobs)
            assert not fsck(repo).problems
            told.append([first.commit, second.commit, first.bytes_read, before.changes, work.artifacts, between])
            packs = len(list(repo.storage.list("packs")))
            assert packs == 2 if jobs is None else packs > 2  # workers stored, in packs of their own
    assert told[0] == told[1]
    events = next(artifact for artifact in told[1][4] if artifact.path == "events/")
    assert events.counts["rows_changed"] == 2 and "2 of 4 parts untouched" in events.summary


@pytest.mark.parametrize("backend", BACKENDS)
def test_work_is_done_elsewhere(backend: str, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue("scheduler") if backend == "dask" else None
    with closing(Jobs(2, backend, address)) as jobs:
        pids = {int(answer) for answer in jobs.map(_who, range(8))}
    assert (os.getpid() in pids) == (backend == "threading")


def test_no_more_processes_are_started_than_there_are_tasks() -> None:
    with closing(Jobs(12, "loky")) as jobs:
        assert len(jobs.map(_who, range(2))) == 2
        assert _loky_processes() <= 2
        assert len(jobs.map(_who, range(3))) == 3
        assert _loky_processes() <= 3
    assert _loky_processes() == 0


def test_control_c_is_a_matter_of_this_process_alone() -> None:
    """Workers that heard it, too, filled the terminal with their tracebacks."""
    heard = signal.getsignal(signal.SIGINT)
    with closing(Jobs(2, "loky")) as jobs:
        assert set(jobs.map(_hears_control_c, range(4))) == {b"no"}
    assert signal.getsignal(signal.SIGINT) is heard


def _hears_control_c(_: int) -> bytes:
    return b"no" if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else b"yes"


def _loky_processes() -> int:
    return sum(b"popen_loky" in command for command in _commands_of_parent(os.getpid()))


def test_nothing_is_left_behind_by_a_command(tmp_path: Path) -> None:
    """Neither processes nor folders: a command ends without taking Python down."""
    lay_out(tmp_path / "r", days=2)
    command = [sys.executable, "-m", "mlver", "-C", str(tmp_path / "r")]
    subprocess.run([*command, "init", "-q"], check=True)
    begun = subprocess.Popen([*command, "commit", "-q", "-m", "first", "-j2"], stderr=subprocess.PIPE, text=True)
    said = begun.communicate()[1]
    assert (begun.returncode, said) == (0, "hint: mlver undo takes it back\n" if "hint" in said else "")
    assert not list(Path("/dev/shm").glob(f"joblib_memmapping_folder_{begun.pid}_*"))
    assert b"popen_loky" not in b"".join(_commands_of_parent(1)) + b"".join(_commands_of_parent(os.getpid()))


def _commands_of_parent(pid: int) -> list[bytes]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append((stat.parent / "cmdline").read_bytes())
    return found


def test_parts_are_compared_by_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path / "r")
    user = user_file(tmp_path, backend="threading")
    errands: list[part_jobs.Errand] = []
    run = part_jobs.run_errand

    def seen(errand: part_jobs.Errand) -> bytes:
        errands.append(errand)
        return run(errand)

    monkeypatch.setattr(part_jobs, "run_errand", seen)
    with opened(tmp_path / "r", user) as repo:
        commit(repo, "first")
        lay_out(tmp_path / "r", edited=True)
        diff(repo)
        assert errands == []  # nobody asked for workers
        assert diff(repo, jobs=2).artifacts
    assert {errand.what for errand in errands} >= {"schema", "rows"}
    assert {errand.old and errand.old[4] for errand in errands} <= {None, False}  # out of the packs
    assert {errand.new and errand.new[4] for errand in errands} <= {None, True}  # out of the work tree


def _identified(repo: Repository) -> dict[str, BlobId]:
    found = repo.worktree.scan()
    repo.identify(found)
    return found.ids


def test_what_a_worker_saw_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker on which another folder is mounted, one that lies, and one that talks nonsense change nothing."""
    lay_out(tmp_path / "r")
    user = user_file(tmp_path, backend="threading")
    honest = file_jobs._hash_batch

    def elsewhere(batch: file_jobs.Batch) -> bytes:
        said = json.loads(honest(batch))
        return json.dumps({path: ["0" * 64, *entry[1:4], entry[4] + 1] for path, entry in said.items()}).encode()

    answers = (elsewhere, lambda _: b"\x80\x04.", lambda _: b"[]", lambda _: b'{"notes-1.txt": [1, 2]}')
    with opened(tmp_path / "r") as repo:
        wanted = _identified(repo)
    for answer in answers:
        (tmp_path / "r/.mlver/cache/stats.db").unlink()
        monkeypatch.setattr(file_jobs, "_hash_batch", answer)
        with opened(tmp_path / "r", user) as repo, working(repo, 2):
            assert _identified(repo) == wanted


def test_a_part_that_is_another_file_by_now_is_not_compared(tmp_path: Path) -> None:
    lay_out(tmp_path / "r")
    with opened(tmp_path / "r") as repo:
        host = os.uname().nodename
        address = ("day=1/p.parquet", "events/day=1/p.parquet", "0" * 64, 10, True)
        words = {"sides": [{"kinds": {}}] * 2}
        errand = part_jobs.Errand(str(repo.root), host, "data", "schema", None, address, (((), {}), ((), {})), words)
        assert part_jobs.run_errand(errand) == b""
        (blob,) = (id for path, id in _identified(repo).items() if path == address[1])
        there = replace(errand, new=(*address[:2], str(blob), *address[3:]))
        assert part_jobs.run_errand(there)
        assert part_jobs.run_errand(replace(there, host="another machine"))


def test_workers_start_for_large_amounts_alone_unless_asked_for(tmp_path: Path) -> None:
    settings = Settings({"user": {"jobs.count": 4}, "repository": {}})
    assert jobs_for(Settings({}), None) is None
    assert jobs_for(settings, 0) is None
    asked, usual = jobs_for(settings, 2), jobs_for(settings, None)
    assert asked is not None and asked.least == 0 and asked.count == 2
    assert usual is not None and usual.least >= 1 << 20 and usual.count == 4
    assert jobs_for(Settings({}, UsageError("config.toml: line 1")), None) is None  # history can still be read
    with pytest.raises(UsageError, match="not 100000"):
        jobs_for(settings, 100_000)


def test_the_address_of_a_cluster_is_a_matter_of_the_user_alone(tmp_path: Path) -> None:
    """Who hands over a folder must not say to whom we talk in pickles."""
    with opened(tmp_path / "r") as repo:
        with pytest.raises(UsageError, match=r"jobs\.address counts only in your own settings"):
            set_config(repo, "jobs.address", "tcp://evil.example:8786")
        write_setting(repo.dot / "config.toml", "jobs.backend", "dask")
        (repo.dot / "config.toml").write_text('[jobs]\nbackend = "dask"\naddress = "tcp://evil.example:8786"\n')
    with opened(tmp_path / "r") as repo, pytest.raises(UsageError, match=r"config\.toml: jobs\.address counts only"):
        status(repo, jobs=2)
    (tmp_path / "r/.mlver/config.toml").write_text('[jobs]\nbackend = "dask"\n')
    with opened(tmp_path / "r") as repo, pytest.raises(UsageError, match="needs the address"):
        status(repo, jobs=2)
    user = user_file(tmp_path, backend="dask", address="tcp://10.0.0.1:8786")
    with opened(tmp_path / "r", user) as repo:
        assert get_config(repo, "jobs.address").settings[0].value == "tcp://10.0.0.1:8786"


@pytest.mark.parametrize(("backend", "command"), [("ray", "pip install joblib ray"), ("spark", "joblibspark")])
def test_a_backend_that_is_not_installed_is_named_with_the_way_to_it(
    backend: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("ray", "joblibspark", "pyspark"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=f"{backend} of --jobs is not installed") as refused:
        Jobs(2, backend).map(_nothing, [1])
    assert command in (refused.value.hint or "")


def test_joblib_that_is_not_installed_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(UsageError) as refused:
        Jobs(2).map(_nothing, [1])
    assert refused.value.hint == "pip install 'mlver[jobs]'"


def test_a_scheduler_that_is_not_there_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("mlver.repo.jobs._PATIENCE", 0.3)
    with closing(Jobs(2, "dask", "tcp://127.0.0.1:9")) as jobs, pytest.raises(LocalIO, match=r"127\.0\.0\.1:9"):
        jobs.map(_nothing, [1])


def _nothing(_: int) -> bytes:
    return b""


def _who(_: int) -> bytes:
    return b"%d" % os.getpid()


def _text(_: int) -> Any:
    return "no bytes"


def _breaks(number: int) -> bytes:
    raise Damaged("pack 1 is cut short") if number else ZeroDivisionError("oh")


def test_what_goes_wrong_in_a_worker_is_said_here() -> None:
    jobs = Jobs(2, "threading")
    assert jobs.map(_nothing, [1, 2]) == [b"", b""]
    with pytest.raises(LocalIO, match="did not answer with bytes"):
        jobs.map(_text, [1])
    with pytest.raises(LocalIO, match="a worker of threading failed: ZeroDivisionError: oh"):
        jobs.map(_breaks, [0])
    with pytest.raises(Damaged, match="pack 1 is cut short"):
        jobs.map(_breaks, [1])
