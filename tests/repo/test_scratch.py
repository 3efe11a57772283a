"""Scratch folders: the user's programs work there, and nothing of ours is within their reach."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.repo.measuring import CommandFailed, measure, numbers
from mlver.repo.scratch import scratch
from mlver.storage import temporary
from tests.kit import Bench

PYTHON = sys.executable


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Where the system keeps temporary folders, for one test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / "project")
    bench.write("config/a.json", '{"a": 1}')
    bench.write("score.py", "import json; print(json.dumps({'a': json.load(open('config/a.json'))['a']}))")
    bench.commit("first")
    yield bench


def laid(bench, changes=None):
    return scratch(bench.repo, bench.repo.snapshot(bench.repo.resolve("HEAD")).artifacts, changes)


def test_a_bundle_is_measured_as_committed_and_with_changes(bench, place) -> None:
    with laid(bench) as folder:
        assert measure(folder, [PYTHON, "score.py"]).value("a") == 1
    with laid(bench, {"config/a.json": b'{"a": 2}'}) as folder:
        assert measure(folder, [PYTHON, "score.py"]).value("a") == 2
        folder.put("config/a.json", b'{"a": 3}')
        assert measure(folder, [PYTHON, "score.py"]).value("a") == 3
    with laid(bench, {"score.py": None}) as folder:
        assert not (folder.folder / "score.py").exists()
        folder.lay([bench.repo.snapshot(bench.repo.resolve("HEAD"))["score.py"]])
        assert (folder.folder / "score.py").exists()
        folder.remove(["score.py"])
    assert list(place.iterdir()) == []
    assert (bench.root / "config/a.json").read_text() == '{"a": 1}'


def test_the_folder_is_no_part_of_any_repository(bench) -> None:
    with laid(bench) as folder:
        mlver = folder.run([PYTHON, "-m", "mlver", "commit", "-m", "from within"], environment=environment())
    assert mlver.exit == 2
    assert "not a mlver repository" in mlver.complaint


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def test_places_in_a_command_are_filled_and_unknown_ones_named(bench) -> None:
    code = "import sys; open(sys.argv[1], 'w').write('{\"b\": 5}'); print('training done')"
    with laid(bench) as folder:
        assert measure(folder, [PYTHON, "-c", code, "{out}"]).value("b") == 5
        assert folder.run([PYTHON, "-c", "print('{data}')"], data="x.csv").stdout == b"x.csv\n"
        with pytest.raises(UsageError, match=r"unknown place \{dat\}"):
            folder.run(["cat", "{dat}"], data="x.csv")
        with pytest.raises(CommandFailed):  # the answer of the run before is not taken for this one's
            measure(folder, [PYTHON, "-c", "pass", "{out}"])


def test_a_program_that_fails_is_named_with_its_last_words(bench, place) -> None:
    with laid(bench) as folder, pytest.raises(CommandFailed, match="ended with 3: no such model"):
        measure(folder, [PYTHON, "-c", "import sys; print('no such model', file=sys.stderr); sys.exit(3)"])
    with laid(bench) as folder, pytest.raises(UsageError, match="cannot run no-such-program"):
        folder.run(["no-such-program"])
    assert list(place.iterdir()) == []


def test_a_program_that_hangs_is_ended_with_all_its_children(bench, tmp_path) -> None:
    mark = tmp_path / "mark"
    child = f"import time; time.sleep(3); open({str(mark)!r}, 'w')"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    with laid(bench) as folder:
        ran = folder.run([PYTHON, "-c", code], timeout=1)
    assert ran.timed_out and "took longer" in str(ran.trouble)
    time.sleep(3)
    assert not mark.exists()


def test_a_program_that_is_killed_is_reported_so(bench) -> None:
    with laid(bench) as folder:
        ran = folder.run([PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert (ran.exit, ran.trouble) == (137, "ended by signal 9")


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize(
    "within", ["folder.run([sys.executable, '-c', 'import time; time.sleep(60)'])", "time.sleep(60)"]
)
def test_when_we_are_told_to_end_the_program_ends_and_the_folder_goes(bench, place, number, status, within) -> None:
    code = (
        "import sys, tempfile, time\nfrom pathlib import Path\nfrom mlver.repo.repository import Repository\n"
        "from mlver.repo.scratch import scratch\n"
        f"tempfile.tempdir = {str(place)!r}\nrepo = Repository.open(Path({str(bench.root)!r}))\n"
        "with scratch(repo, repo.head_snapshot().artifacts) as folder:\n"
        f"    print(folder.folder, flush=True)\n    {within}\n"
    )
    ours = subprocess.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE, text=True, env=environment())
    assert ours.stdout is not None
    where = Path(ours.stdout.readline().strip())
    assert where.is_dir()
    while "run" in within and not (where.parent / "notes" / "stdout").exists():
        time.sleep(0.05)
    time.sleep(0.3)
    ours.send_signal(number)
    assert ours.wait(20) == status
    ours.stdout.close()
    assert list(place.iterdir()) == []


def test_a_hangup_that_is_ignored_ends_nothing(bench) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with laid(bench) as folder:
            ran = folder.run([PYTHON, "-c", f"import os; os.kill({os.getpid()}, 1); print('on')"])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (ran.exit, ran.stdout) == (0, b"on\n")


def test_a_folder_without_rights_is_removed_all_the_same(bench, place) -> None:
    with laid(bench) as folder:
        folder.run([PYTHON, "-c", "import os; os.mkdir('locked'); open('locked/x', 'w'); os.chmod('locked', 0)"])
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_yesterday_is_swept(bench, place) -> None:
    gone = subprocess.Popen([PYTHON, "-c", "pass"])
    gone.wait()
    old, young, living = (place / f"mlver-scratch-{name}-x" for name in (gone.pid, f"{gone.pid}-y", os.getpid()))
    for path in (old, young, living):
        path.mkdir()
        (path / "file").write_text("x")
    for path in (old, living):
        os.utime(path, (time.time() - 2 * temporary._OLD,) * 2)
    with laid(bench):
        assert [path for path in (old, young, living) if path.exists()] == [young, living]


@pytest.mark.parametrize(
    "answer, values",
    [
        (b'{"recall": 0.5}', {("recall", ""): (0.5, None)}),
        (b'epoch 1\n{not json}\n{\n "clinic=C": {"recall": 0.5, "n": 8}\n}\n', {("recall", "clinic=C"): (0.5, 8)}),
        (b'{"loss": NaN}', {("loss", ""): ("NaN", None)}),
        (b'{"loss": "NaN", "auc": null}', {("loss", ""): ("NaN", None), ("auc", ""): (None, None)}),
        (b'{"model": "v2", "ok": true, "matrix": [[1, 2], [3, 4]], "loss": 1}', {("loss", ""): (1, None)}),
    ],
)
def test_answers_are_read_as_programs_give_them(answer, values) -> None:
    assert numbers(answer, "x") == values


@pytest.mark.parametrize("answer", [b"", b"done", b"[1]", b'{"a": "b"}', b"{}", b"\xff\xfe", b"{" * 5000])
def test_an_answer_that_holds_no_metrics_is_refused(answer) -> None:
    with pytest.raises(CommandFailed, match="score"):
        numbers(answer, "score")
