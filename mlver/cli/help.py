"""What `--help` says of a command, as data and as a page. The reference in the docs is made of the same."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from mlver.frozen import frozen

if TYPE_CHECKING:
    from typer._click.core import Context

    from mlver.render.layout import Piece

Rows = tuple[tuple[str, str], ...]


@frozen
class Help:
    """The help of one command. `sections` are titles with (what to type, what it does)."""

    usage: str
    summary: str
    text: str
    sections: tuple[tuple[str, Rows], ...]
    examples: Rows
    exits: Mapping[int, str]


def describe(command: TyperCommand | TyperGroup, ctx: Context) -> Help:
    """Return the help of a command as data."""
    summary, _, text = inspect.cleandoc(command.help or "").partition("\n\n")
    params = [param for param in command.get_params(ctx) if not getattr(param, "hidden", False)]
    arguments = [param for param in params if isinstance(param, TyperArgument)]
    options = [param for param in params if isinstance(param, TyperOption)]
    sections = [("Arguments", tuple((_metavar(a), a.help or "") for a in arguments if a.help))]
    if isinstance(command, TyperGroup):
        sections = _commands(command, ctx) + sections
    for title in dict.fromkeys(option.rich_help_panel or "Options" for option in options):
        rows = tuple(_option(option) for option in options if (option.rich_help_panel or "Options") == title)
        sections.append((title, rows))
    words = [ctx.command_path, "[options]" if options else ""]
    words += ["COMMAND ..." if isinstance(command, TyperGroup) else " ".join(_metavar(a) for a in arguments)]
    return Help(
        usage=" ".join(filter(None, words)),
        summary=" ".join(summary.split()),
        text=text,
        sections=tuple((title, rows) for title, rows in sections if rows),
        examples=tuple(getattr(command.callback, "examples", ())),
        exits=dict(getattr(command.callback, "exits", {})),
    )


def _commands(group: TyperGroup, ctx: Context) -> list[tuple[str, Rows]]:
    panels: dict[str, list[tuple[str, str]]] = {}
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is not None and not command.hidden:
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            summary = " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())
            panels.setdefault(panel, []).append((name, summary))
    return [(panel, tuple(rows)) for panel, rows in panels.items()]


def _metavar(argument: TyperArgument) -> str:
    if argument.metavar:
        return argument.metavar
    name = (argument.name or "").upper() + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _option(option: TyperOption) -> tuple[str, str]:
    names = ", ".join(sorted(option.opts, key=len))
    value = "" if option.is_flag or option.count else f" {option.metavar or 'TEXT'}"
    return names + value, option.help or ""


def help_page(help: Help) -> Piece:
    """Usage, what it does, arguments and options by panel, examples, exit codes."""
    from mlver.render.lines import Columns, indented, line, paragraphs

    blocks: list[Any] = [line(("usage: ", "quiet"), (help.usage, "head"), wrap=True), line(help.summary, wrap=True)]
    blocks += [line(" ".join(paragraph.split()), wrap=True) for paragraph in help.text.split("\n\n") if paragraph]
    for title, rows in help.sections:
        width = min(max(len(left) for left, _ in rows), 26)
        blocks.append([line((title, "head")), indented(_definitions(rows, width))])
    if help.examples:
        blocks.append([line(("Examples", "head")), *(indented(text) for text in _examples(help.examples))])
    if help.exits:
        rows_ = [[str(code), what] for code, what in help.exits.items()]
        blocks.append([line(("Exit codes besides the common ones", "head")), indented(Columns(rows_, wrap=(1,)))])
    return paragraphs(*blocks)


def _definitions(rows: Rows, width: int) -> Piece:
    from mlver.render.layout import Indented
    from mlver.render.lines import line, stacked, whole

    blocks: list[Piece] = []
    for left, right in rows:
        name, said = whole((left, "unit")), line(right, wrap=True)
        if len(left) > width:
            blocks += [name, Indented(said, width + 2)]
        else:
            blocks.append(Indented(said, width + 2, mark=name))
    return stacked(blocks)


def _examples(examples: Sequence[tuple[str, str]]) -> list[Piece]:
    from mlver.render.lines import whole

    width = max(len(command) for command, _ in examples)
    lines: list[Piece] = []
    for command, what in examples:
        if width + len(what) <= 72:
            lines.append(whole((command.ljust(width), "command"), (f"   {what}", "quiet")))
        else:
            lines += [whole((f"# {what}", "quiet")), whole((command, "command"))]
    return lines


def write_help(command: TyperCommand | TyperGroup, ctx: Context, formatter: Any) -> None:
    """Write the page of a command into typer's formatter."""
    from mlver.cli.output import style_of
    from mlver.render.console import to_text

    color = False if "--no-color" in sys.argv or os.environ.get("NO_COLOR") else None
    style = style_of(sys.stdout, color)
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        style["width"] = 80
    formatter.write(to_text(help_page(describe(command, ctx)), **style).rstrip("\n"))
