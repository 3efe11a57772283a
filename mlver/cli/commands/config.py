"""`mlver config`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session
from mlver.errors import UsageError

app = new_app()


@verb(
    app,
    examples=[
        ("mlver config", "all settings, and where each comes from"),
        ("mlver config author 'Ana <ana@clinic.example>'", "who I am"),
        ("mlver config author --unset", "back to the default"),
    ],
)
def config(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="Which setting.", autocompletion=complete.setting)] = None,
    value: Annotated[str | None, typer.Argument(help="Its new value.")] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Back to the default.")] = False,
) -> None:
    """Show or change settings of this repository.

    They are kept in .mlver/config.toml and concern this copy alone. Settings for all your
    repositories go to ~/.config/mlver/config.toml (or the file named by MLVER_CONFIG).
    """
    from mlver.render.house import config_page
    from mlver.verbs.config import get_config, set_config

    if unset and (name is None or value is not None):
        raise UsageError("--unset takes the name of one setting", hint="mlver config author --unset")
    with session.open() as repo:
        if name is not None and (unset or value is not None):
            result = set_config(repo, name, value)
        else:
            result = get_config(repo, name)
    session.show(result, lambda: config_page(result), [setting.value for setting in result.settings])
