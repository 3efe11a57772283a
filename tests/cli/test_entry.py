"""How the process ends."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("words", "code"), [(["show", "t.csv#columns.x"], 0), (["show", "t.csv#nope"], 2)])
def test_a_command_that_read_a_table_ends_with_its_own_code_and_all_it_wrote(
    tmp_path: Path, words: list[str], code: int
) -> None:
    (tmp_path / "t.csv").write_text("id,x\n1,2\n")
    for command in (["init", "-q"], ["commit", "-q", "-m", "v1"]):
        subprocess.run([sys.executable, "-m", "mlver", *command], cwd=tmp_path, check=True, capture_output=True)
    # a handler that would run at a normal end, and tells whether there was one
    script = (
        "import atexit, sys; atexit.register(print, 'taken down'); sys.argv[1:] = " + repr(words) + "\n"
        "import pyarrow\nfrom mlver.cli.main import entry\nentry()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code
    assert "taken down" not in done.stdout
    assert done.stdout or done.stderr


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_command_that_nobody_can_hear_does_its_work(tmp_path: Path, closed: str) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m mlver init -q {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / ".mlver/format").is_file()
