"""The root of the command line: global options, and the commands by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mlver import __version__
from mlver.cli import options
from mlver.cli.command import HELP_OPTIONS
from mlver.cli.errors import report
from mlver.cli.groups import LazyGroup
from mlver.cli.session import Session
from mlver.errors import UsageError

app = typer.Typer(
    name="mlver",
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"mlver {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    folder: options.Folder = None,
    json_: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Answer with ids or names only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more, also about errors.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Plain text (also NO_COLOR=1).")] = False,
    no_pager: Annotated[bool, typer.Option("--no-pager", help="Never start a pager.")] = False,
    date: Annotated[
        str | None, typer.Option("--date", metavar="TIME", help="Date what is done, instead of now (MLVER_DATE).")
    ] = None,
    author: Annotated[
        str | None, typer.Option("--author", metavar="NAME", help="Do it in this name (MLVER_AUTHOR).")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Git's ideas for everything a production model is made of.

    Start with `mlver init`, then `mlver commit`; `mlver demo` plays a whole night on call.
    -q, -v, --json, --no-color, --no-pager, --date and --author go before or after the command.
    """
    session = ctx.ensure_object(Session)
    session.folder = folder or Path()
    session.update(
        json_=json_,
        quiet=quiet,
        verbose=verbose,
        no_color=no_color,
        no_pager=no_pager,
        date=date,
        author=author,
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code. No exception leaves this function."""
    if not arguments:
        run(["--help"])
        return UsageError.exit_code
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    session = Session(json="--json" in own, verbose="-v" in own or "--verbose" in own)
    try:
        done = typer.main.get_command(app).main(
            args=list(arguments), prog_name="mlver", standalone_mode=False, obj=session
        )
        sys.stdout.flush()
        return done if isinstance(done, int) else os.EX_OK
    except BaseException as error:
        if isinstance(error, (SystemExit, GeneratorExit)):
            raise
        return report(error, session)
