"""Help is complete, fits 80 columns, and costs no command module."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from mlver.cli.app import app
from mlver.cli.help import describe
from mlver.cli.registry import COMMANDS
from tests.cli.conftest import Terminal

ROOT = Path(__file__).resolve().parents[2]


def _commands() -> Iterator[tuple[str, TyperCommand, typer.Context]]:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    ctx = typer.Context(root, info_name="mlver")
    for name in COMMANDS:
        command = root.get_command(ctx, name)
        inner = typer.Context(command, info_name=name, parent=ctx)  # type: ignore[arg-type]
        if isinstance(command, TyperGroup):
            for sub in command.list_commands(inner):
                leaf = command.get_command(inner, sub)
                assert isinstance(leaf, TyperCommand)
                yield f"{name} {sub}", leaf, typer.Context(leaf, info_name=sub, parent=inner)
        else:
            assert isinstance(command, TyperCommand)
            yield name, command, inner


ALL = {name: (command, ctx) for name, command, ctx in _commands()}


def test_every_command_of_the_registry_has_its_module() -> None:
    folder = ROOT / "mlver" / "cli" / "commands"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == set(COMMANDS)


@pytest.mark.parametrize("name", ALL)
def test_a_command_has_two_examples_and_says_what_it_does(name: str) -> None:
    help = describe(*ALL[name])
    assert len(help.examples) >= 2
    for line, what in help.examples:
        assert f"mlver {name.split()[0]}" in line
        assert what
    assert help.summary.endswith(".") and len(help.summary) > 15
    options = [left for _, rows in help.sections for left, _ in rows]
    assert {"--json", "-q, --quiet", "--help"} <= set(options) | {"--help"}
    assert all(right for _, rows in help.sections for _, right in rows), "an option without a word of help"


@pytest.mark.parametrize("name", ["", *ALL])
def test_help_fits_80_columns(mlver: Terminal, name: str) -> None:
    answer = mlver(*name.split(), "--help")
    assert (answer.code, answer.err) == (0, "")
    prose = answer.out.partition("\nExamples\n")[0]
    assert [line for line in prose.splitlines() if len(line) > 80] == []
    assert mlver(*name.split(), "-h").out == answer.out


def test_no_word_at_all_shows_the_help(mlver: Terminal) -> None:
    answer = mlver()
    assert (answer.code, answer.out, answer.err) == (2, mlver("--help").out, "")


def test_help_is_a_word_too(mlver: Terminal) -> None:
    assert mlver("help").out == mlver("--help").out
    assert mlver("help", "metrics", "add").out == mlver("metrics", "add", "--help").out


def test_options_without_a_command_are_not_enough(mlver: Terminal) -> None:
    answer = mlver("-q")
    assert (answer.code, answer.out, answer.err) == (2, "", "mlver: missing command\nhint: mlver --help\n")


def _modules_loaded(*argv: str) -> set[str]:
    code = f"import sys\nfrom mlver.cli.main import main\nmain({argv!r})\nsys.stderr.write(' '.join(sys.modules))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    return set(done.stderr.split())


def test_the_version_needs_nothing() -> None:
    loaded = _modules_loaded("--version")
    assert not {"typer", "rich", "mlver.cli.app"} & loaded


def test_the_list_of_commands_needs_none_of_them() -> None:
    loaded = _modules_loaded("--help")
    assert not [name for name in loaded if name.startswith(("mlver.cli.commands", "mlver.verbs", "mlver.repo"))]


def test_help_of_a_command_loads_that_command_alone() -> None:
    loaded = _modules_loaded("diff", "--help")
    assert {name for name in loaded if name.startswith("mlver.cli.commands.")} == {"mlver.cli.commands.diff"}
    assert not [name for name in loaded if name.startswith(("mlver.verbs", "mlver.repo", "pyarrow", "numpy"))]


def test_version_as_an_option_among_others(mlver: Terminal) -> None:
    assert mlver("--no-color", "--version").out == mlver("--version").out


def test_a_long_exit_code_is_told_to_its_end(mlver: Terminal) -> None:
    told = " ".join(mlver("run", "--help").out.split())
    assert told.endswith("0 the command ended with 0; its status otherwise, and then nothing is recorded")
