"""Groups of commands that load what is asked for and nothing else."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from mlver.cli.help import write_help
from mlver.cli.registry import COMMANDS, Entry
from mlver.errors import UsageError

if TYPE_CHECKING:
    from typer._click.core import Command, Context


class LazyGroup(TyperGroup):
    """The root: its commands are known by name and imported one at a time.

    To list them (help, completion) their names and summaries do; no command module is imported.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._listing = False

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Take `mlver help diff` for `mlver diff --help`."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Context) -> list[str]:
        """The names, in the order of the registry."""
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Import the module of one command; None when there is no such command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        if self._listing:
            return TyperCommand(entry.name, help=entry.summary, rich_help_panel=entry.panel)
        if cmd_name not in self.commands:
            self.commands[cmd_name] = load(entry)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Find the command of `args`; a name that does not exist is answered with one that comes close."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            raise UsageError(f"no such command: {args[0]}", hint=f"mlver {close[0]}" if close else "mlver --help")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Context, formatter: Any) -> None:
        """Write the help, from the summaries alone."""
        self._listing = True
        try:
            write_help(self, ctx, formatter)
        finally:
            self._listing = False

    def shell_complete(self, ctx: Context, incomplete: str) -> Any:
        """Complete command names, from the summaries alone."""
        self._listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._listing = False


class DefaultGroup(TyperGroup):
    """A group in which `default` is meant when no command of it is named: `mlver alerts` lists alerts."""

    default: ClassVar[str] = ""

    def format_help(self, ctx: Context, formatter: Any) -> None:
        """Write the help page."""
        write_help(self, ctx, formatter)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Put the default command in front when the first word is none of the group's own."""
        if not ctx.resilient_parsing and (not args or args[0] not in {*self.commands, *ctx.help_option_names}):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def load(entry: Entry) -> Command:
    """Import the command's module and build its command."""
    app: typer.Typer = importlib.import_module(entry.module).app
    command: Command = typer.main.get_command(app)
    command.name = entry.name
    if isinstance(command, (TyperCommand, TyperGroup)):
        command.rich_help_panel = entry.panel
    if isinstance(command, TyperGroup):
        command.help = entry.summary
    return command
