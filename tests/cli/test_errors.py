"""Every failure is one line, a hint and an exit code; with --json it is a document on stderr."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlver import errors
from mlver.cli.errors import EXIT_CODES, Interrupted, ReaderGone, as_error, report
from mlver.cli.session import Session
from tests.cli.conftest import Terminal
from tests.kit import Bench


def test_every_error_has_a_documented_exit_code() -> None:
    own = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MlverError)]
    assert {kind.exit_code for kind in own} | {0, 130, 141} == set(EXIT_CODES)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.NegativeAnswer("nothing to commit"), 1, "nothing to commit"),
        (errors.Refused("a.csv would be overwritten"), 3, "a.csv would be overwritten"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(), 141, "nobody reads the output any more"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/r/.mlver/packs/x"),
            7,
            "/r/.mlver/packs/x: no space left on the disk",
        ),
        (PermissionError(errno.EACCES, "Permission denied", b"/r/\xff"), 7, "/r/\\udcff: permission denied"),
        (MemoryError(), 7, "out of memory"),
        (ZeroDivisionError("division by zero"), 7, "unexpected error: ZeroDivisionError: division by zero"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_an_exception_means(error: BaseException, code: int, message: str) -> None:
    known = as_error(error)
    assert (known.exit_code, known.message) == (code, message)


def test_an_error_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(errors.UnknownRevision("unknown revision 'x'", hint="mlver log"), Session()) == 2
    assert capsys.readouterr() == ("", "mlver: unknown revision 'x'\nhint: mlver log\n")


def test_an_error_as_json_leaves_stdout_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(errors.Damaged("blob 3f is missing", hint="mlver fsck"), Session(json=True)) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {
        "schema": "mlver.error/v1",
        "code": "damaged",
        "message": "blob 3f is missing",
        "hint": "mlver fsck",
        "exit_code": 5,
    }


def test_an_unexpected_error_shows_its_traceback_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError("oops")
    except ZeroDivisionError as error:
        report(error, Session())
        brief = capsys.readouterr().err
        report(error, Session(verbose=True))
        verbose = capsys.readouterr().err
    assert brief == (
        "mlver: unexpected error: ZeroDivisionError: oops\n"
        "hint: run it again with -v to see where; this is a bug in mlver\n"
    )
    assert "Traceback" in verbose and "test_errors.py" in verbose


def test_a_wrong_word_never_shows_a_traceback(mlver: Terminal) -> None:
    answer = mlver("-v", "log", "-n", "many")
    assert answer.code == 2
    assert answer.err.startswith("mlver: invalid value for ")


def test_what_an_error_names_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report(errors.Refused("refused: a\x1b[2J\nb\u202e.csv", hint="rm 'a\x07'"), Session())
    assert capsys.readouterr().err == "mlver: refused: a\\x1b[2J\\nb\\u202e.csv\nhint: rm 'a\\x07'\n"


def test_a_long_message_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report(errors.Refused("x" * 300), Session())
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["status"], 2, "mlver: not a mlver repository: "),
        (["statsu"], 2, "mlver: no such command: statsu\nhint: mlver status\n"),
        (["diff", "--stats"], 2, "mlver: no such option: --stats"),
        (["log", "-n", "many"], 2, "mlver: invalid value for"),
        (["promote"], 2, "mlver: missing argument"),
        (["-C", "nowhere", "status"], 2, "mlver: no such folder: nowhere\n"),
        (["--date", "soon", "init"], 2, "mlver: not a time: 'soon'\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_words_end_with_two(mlver: Terminal, argv: list[str], code: int, said: str) -> None:
    answer = mlver(*argv)
    assert answer.code == code
    assert answer.out == ""
    assert answer.err.startswith(said)
    assert "Traceback" not in answer.err


def test_usage_errors_are_json_too(mlver: Terminal) -> None:
    answer = mlver("diff", "--nosuch", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert json.loads(answer.err)["code"] == "usage"


def test_json_after_the_command_to_run_is_not_ours(mlver: Terminal) -> None:
    assert mlver("run", "--", "true", "--json").err.startswith("mlver: not a mlver repository")


def test_an_interrupt_inside_a_command_ends_with_130(
    mlver: Terminal, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mlver.verbs.log.log", interrupted)
    answer = mlver("log")
    assert (answer.code, answer.out, answer.err) == (130, "", "mlver: interrupted\n")


def test_a_reader_that_goes_away_is_no_error(bench: Bench) -> None:
    for i in range(3):
        bench.write("notes.txt", f"{i}\n")
        bench.commit("x" * 70_000)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    environment.pop("PYTHONUNBUFFERED", None)  # Python then drops what a partial write leaves, without a word
    command = [sys.executable, "-m", "mlver", "log"]
    process = subprocess.Popen(command, cwd=bench.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == ReaderGone.exit_code
    assert Interrupted.exit_code == 130
