"""On a real terminal (a pseudo-terminal of 80 columns): colour, width, the pager, the progress bar, escapes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.kit import Bench

ROOT = Path(__file__).resolve().parents[2]


def on_terminal(folder: Path, *argv: str, rows: int = 200, **environment: str) -> str:
    """Run mlver on a terminal and return all that it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "mlver", *argv],
        cwd=folder,
        env=kept | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)} | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up and select.select([ours], [], [], 60)[0]:
        try:
            written += os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
    os.close(ours)
    assert process.wait(timeout=60) == 0, written
    return written.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colour_and_its_own_width(bench: Bench) -> None:
    colored = on_terminal(bench.root, "diff", "HEAD~1", "HEAD")
    assert "\x1b[" in colored
    plain = on_terminal(bench.root, "diff", "HEAD~1", "HEAD", NO_COLOR="1")
    assert "\x1b[" not in plain
    assert max(map(len, plain.splitlines())) <= 80


def test_a_long_page_goes_through_the_pager_and_a_short_one_does_not(bench: Bench, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED\ncat\n")
    pager.chmod(0o755)
    assert on_terminal(bench.root, "log", rows=5, MLVER_PAGER=str(pager)).startswith("PAGED\n")
    assert "PAGED" not in on_terminal(bench.root, "log", rows=100, MLVER_PAGER=str(pager))
    assert "PAGED" not in on_terminal(bench.root, "log", "--no-pager", rows=5, MLVER_PAGER=str(pager))
    assert "v1" in on_terminal(bench.root, "log", rows=5, MLVER_PAGER="/nowhere/less")


def test_json_on_a_terminal_is_indented(bench: Bench) -> None:
    assert on_terminal(bench.root, "branch", "--json").startswith('{\n  "schema": "mlver.refs/v1",\n')


def test_bytes_of_a_file_cannot_act_on_the_terminal(bench: Bench) -> None:
    bench.write("evil.txt", b"a\tb\n\x1b[2Jc\x9b\xff\n")
    bench.commit("evil")
    assert on_terminal(bench.root, "cat", "evil.txt") == "a\tb\n\\e[2Jc\\x9b\\xff\n"


def test_a_progress_bar_is_drawn_on_a_terminal_and_gone_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    import io

    from mlver.render.progress import progress_bar

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    ticks = iter([0.0, 0.1, 0.5, 0.6])
    screen = Screen()
    with progress_bar(screen, width=80, color=False, clock=lambda: next(ticks)) as report:
        report(0, 10 << 20, "reading")
        assert screen.getvalue() == "", "work that is done at once shows no bar"
        report(10 << 20, 10 << 20, "reading")
    drawn = screen.getvalue()
    assert "reading" in drawn and "10.0/10.0 MiB" in drawn
    assert drawn.endswith("\x1b[2K"), "the bar is still there"


def test_without_a_terminal_there_is_no_bar_and_no_colour(mlver: Terminal, bench: Bench) -> None:
    bench.write("big.bin", os.urandom(1 << 20))
    answer = mlver("commit", "-m", "big")
    assert answer.err == "hint: mlver undo takes it back\n"
    assert "\x1b" not in answer.out


def test_a_terminal_without_unicode_gets_plain_signs(bench: Bench) -> None:
    written = subprocess.run(
        [sys.executable, "-m", "mlver", "diff", "HEAD~1", "HEAD"],
        cwd=bench.root,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert (written.returncode, written.stderr) == (0, b"")
    assert b'"median" -> "-1"' in written.stdout


def completed(folder: Path, line: str) -> list[str]:
    """What bash would be offered at the end of `line`."""
    words = line.split(" ")
    asked = {"_MLVER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    environment = os.environ | asked | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-m", "mlver"], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_is_offered_commands_names_and_paths(mlver: Terminal, bench: Bench, tmp_path: Path) -> None:
    assert mlver("branch", "exp/features").code == 0
    assert mlver("promote", "prod").code == 0
    assert completed(bench.root, "mlver pro") == ["promote"]
    assert completed(bench.root, "mlver show r") == ["rules/rules.json"]
    assert completed(bench.root, "mlver rollback p") == ["prod"]
    assert completed(bench.root, "mlver switch ex") == ["exp/features"]
    assert completed(bench.root, "mlver alerts st") == ["stats"]
    assert completed(tmp_path, "mlver switch ex") == []
