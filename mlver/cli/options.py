"""Options that every command shares, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

OUTPUT = "Output"
RECORDED = "Recorded with it"

Folder = Annotated[Path | None, typer.Option("-C", metavar="DIR", help="Work as if started in DIR.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.", rich_help_panel=OUTPUT)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Ids or names only.", rich_help_panel=OUTPUT)]

_VERBOSE = "Say more; show where an unexpected error came from."
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help=_VERBOSE, hidden=True)]
NoColor = Annotated[bool, typer.Option("--no-color", help="Plain text (also NO_COLOR=1).", hidden=True)]
NoPager = Annotated[bool, typer.Option("--no-pager", help="Never start a pager.", hidden=True)]

_DATE = "When this happens, instead of now (also MLVER_DATE): 2024-04-22T03:07Z, yesterday, 2h."
_AUTHOR = "Who does this (also MLVER_AUTHOR)."
Date = Annotated[str | None, typer.Option("--date", metavar="TIME", help=_DATE, hidden=True)]
Author = Annotated[str | None, typer.Option("--author", metavar="NAME", help=_AUTHOR, hidden=True)]
ShownDate = Annotated[str | None, typer.Option("--date", metavar="TIME", help=_DATE, rich_help_panel=RECORDED)]
ShownAuthor = Annotated[str | None, typer.Option("--author", metavar="NAME", help=_AUTHOR, rich_help_panel=RECORDED)]

_SIGN = "Sign it with the SSH key that signing.key names."
Sign = Annotated[bool | None, typer.Option("--sign/--no-sign", "-S", help=_SIGN, rich_help_panel=RECORDED)]

_JOBS = "So many workers read and compare large data (jobs.backend says what they are)."
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=0, metavar="N", help=_JOBS)]
