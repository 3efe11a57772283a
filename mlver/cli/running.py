"""What `run` and `exp run` have in common: the command they start, and what is declared of it."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.options import RECORDED

Words = Annotated[list[str], typer.Argument(metavar="[--] COMMAND...", help="What to run.")]
Inputs = Annotated[
    list[str] | None, typer.Option("--in", metavar="PATH", help="It reads this.", autocompletion=complete.path)
]
Outputs = Annotated[
    list[str] | None, typer.Option("--out", metavar="PATH", help="It writes this.", autocompletion=complete.path)
]
StepName = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="What to call this step.", rich_help_panel=RECORDED)
]
Parameters = Annotated[
    list[str] | None, typer.Option("--param", metavar="K=V", help="A parameter, a seed.", rich_help_panel=RECORDED)
]
SkipSame = Annotated[bool, typer.Option("--skip-same", help="Do not run it when the very same was run already.")]
