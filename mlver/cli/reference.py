"""docs/commands.md, made of what the command line says of itself: `python -m mlver.cli.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup

from mlver.cli.app import app
from mlver.cli.errors import EXIT_CODES
from mlver.cli.help import Help, describe
from mlver.cli.registry import COMMANDS

_INTRO = """\
# Commands

<!-- Made by `python -m mlver.cli.reference > docs/commands.md`; do not edit. -->

Results go to stdout; progress, hints and warnings to stderr. Where a command takes a revision, any of these will do:

| revision | means |
| --- | --- |
| `HEAD`, `@` | the commit the work tree is based on |
| `main`, `v2` | a branch, a tag |
| `3f2a1b` | a commit, by the first digits of its id |
| `prod`, `prod/clinic=C` | what a stage serves now, to everyone or to a scope |
| `HEAD~2`, `HEAD^` | two commits before, the parent |
| `prod@{1}`, `main@{2}` | what it was one move ago, two moves ago |
| `prod@{2024-04-22T02:30Z}` | what it was at that moment |
| `A..B` | from A to B (`diff`, `log`) |

An artifact is named by its path, as of a revision by `PATH@REV` or `REV:PATH`, and one unit of it by `PATH#UNIT`:
a row by its key (`data/train.csv#P0404`), a rule by its id, a setting or a parameter by its dotted path.

Times are written `2024-04-22T03:07Z`, `2024-04-22 03:07` (UTC), `2024-04-22`, `yesterday`, `2h` or `3d` (ago).
"""

_JSON = """\
With `--json` every command answers with one JSON document on stdout and nothing else. Its `schema` names its form, such
as `mlver.log/v1`: fields may be added to a form, never changed or taken away. An error is a document too, on stderr:
`{"schema": "mlver.error/v1", "code", "message", "hint", "exit_code"}`.
"""


def render() -> str:
    """Return the page."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    ctx = _context(root, "mlver", None)
    lines = [_INTRO, "## Options of all commands", ""]
    sections = dict(describe(root, ctx).sections)
    lines += [*_rows(sections["Options"]), "", _JSON, "## Exit codes", "", "| code | means |", "| --- | --- |"]
    lines += [f"| {code} | {_cell(what)} |" for code, what in EXIT_CODES.items()]
    for panel in dict.fromkeys(entry.panel for entry in COMMANDS.values()):
        lines += ["", f"## {panel}"]
        for entry in (entry for entry in COMMANDS.values() if entry.panel == panel):
            command = root.get_command(ctx, entry.name)
            assert isinstance(command, (TyperCommand, TyperGroup))
            lines += _command(command, _context(command, entry.name, ctx), "###")
    return "\n".join(lines) + "\n"


def _context(command: TyperCommand | TyperGroup, name: str, parent: typer.Context | None) -> typer.Context:
    return typer.Context(command, info_name=name, parent=parent, **command.context_settings)


def _command(command: TyperCommand | TyperGroup, ctx: typer.Context, level: str) -> Iterator[str]:
    help = describe(command, ctx)
    yield from ["", f"{level} {ctx.command_path}", "", "```text", help.usage, "```", "", help.summary]
    if help.text:
        yield from ["", help.text]
    if isinstance(command, TyperGroup):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert isinstance(inner, TyperCommand)
            yield from _command(inner, _context(inner, name, ctx), level + "#")
    else:
        yield from _body(help)


def _body(help: Help) -> Iterator[str]:
    hidden = {"-h, --help", "--json", "-q, --quiet"}
    rows = tuple((left, right) for _, rows in help.sections for left, right in rows if left not in hidden)
    if rows:
        yield from ["", *_rows(rows)]
    yield from ["", "```sh"]
    for line, what in help.examples:
        yield from [f"# {what}", line]
    yield "```"
    if help.exits:
        yield from [
            "",
            "Exit codes besides the common ones: " + "; ".join(f"{c}: {w}" for c, w in help.exits.items()) + ".",
        ]


def _rows(rows: tuple[tuple[str, str], ...]) -> list[str]:
    return [
        "| | |",
        "| --- | --- |",
        *(f"| `{left.replace('|', chr(92) + '|')}` | {_cell(right)} |" for left, right in rows),
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
