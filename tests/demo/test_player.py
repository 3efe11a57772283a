"""The player shows commands as they are typed and stops when one does not end as told."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from mlver.demo.player import Player, StepFailed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def player(tmp_path: Path, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Player:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("MLVER_AUTHOR", "Somebody Else")
    return Player(tmp_path, stream=stream)


def test_the_command_stands_before_its_real_output(player: Player, stream: io.StringIO) -> None:
    assert player.run("python -c 'print(6 * 7)'") == "42\n"
    assert stream.getvalue() == "\n$ python -c 'print(6 * 7)'\n42\n"


def test_errors_of_a_command_are_shown_too(player: Player, stream: io.StringIO) -> None:
    player.run("python -c 'import sys; sys.exit(\"no such patient\")'", code=1)
    assert stream.getvalue().endswith("\nno such patient\n")


def test_a_command_that_ends_otherwise_than_told_stops_the_story(player: Player, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="ended with 3, the story needs 0") as raised:
        player.run("python -c 'raise SystemExit(3)'")
    assert str(tmp_path) in (raised.value.hint or "")
    with pytest.raises(StepFailed, match="ended with 0, the story needs 1"):
        player.run("python -c 'pass'", code=1)


def test_a_quiet_question_is_answered_and_not_shown(player: Player, stream: io.StringIO) -> None:
    assert player.ask("python -c 'print(1)'") == "1\n"
    assert stream.getvalue() == ""
    with pytest.raises(StepFailed, match="needs 0: gone"):
        player.ask("python -c 'import sys; sys.exit(\"gone\")'")


def test_a_scene_sets_who_acts_and_when(player: Player, stream: io.StringIO) -> None:
    show = 'python -c \'import os; print(os.environ.get("MLVER_AUTHOR"), os.environ.get("MLVER_DATE"))\''
    assert player.run(show) == "None None\n"
    player.scene("22 April, 03:07", date="2024-04-22T03:07Z", author="Eve <eve@clinic.example>")
    assert player.run(show) == "Eve <eve@clinic.example> 2024-04-22T03:07Z\n"
    assert "22 April, 03:07 · Eve ─" in stream.getvalue()


def test_commands_run_in_the_folder_of_the_story(player: Player, tmp_path: Path) -> None:
    assert player.run("python -c 'import os; print(os.getcwd())'") == f"{os.path.realpath(tmp_path)}\n"


def test_narration_keeps_within_the_terminal(player: Player, stream: io.StringIO) -> None:
    player.say(
        """
        The pager rings. """
        + "Eve is on call for the first time. " * 8
        + """

        She sits up."""
    )
    lines = stream.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[-2:] == ["", "She sits up."]


def test_a_program_the_story_may_not_call_is_named(player: Player) -> None:
    with pytest.raises(StepFailed, match="'rm'"):
        player.run("rm -rf /nowhere")


def test_a_terminal_pauses_before_each_command_and_ctrl_d_plays_on(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from mlver.demo.player import Player; p = Player(Path('.'))\n"
        "p.run(\"python -c 'print(1)'\"); p.run(\"python -c 'print(2)'\"); p.run(\"python -c 'print(3)'\")"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        assert "Enter runs the next command" in _read_until(ours, "print(1)'\r\n")
        os.write(ours, b"\n")
        seen = _read_until(ours, "print(2)'\r\n")
        assert "\r\n1\r\n" in seen
        os.write(ours, b"\x04")
        assert "3\r\n" in _read_until(ours, "\r\n3\r\n")
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_until(terminal: int, text: str) -> str:
    seen = ""
    while text not in seen:
        seen += os.read(terminal, 1024).decode()
    return seen
