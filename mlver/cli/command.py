"""How a command is declared: a function, its examples, and the options all commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import typer
from typer.core import TyperCommand

from mlver.cli import options
from mlver.cli.errors import Interrupted, ReaderGone
from mlver.cli.help import write_help
from mlver.cli.session import Session

if TYPE_CHECKING:
    from typer._click.core import Context

_P = ParamSpec("_P")
AFTER_DASHES = "mlver.after_dashes"
_SHARED = ("json_", "quiet", "verbose", "no_color", "no_pager", "date", "author")
HELP_OPTIONS = ["--help", "-h"]


class Command(TyperCommand):
    """A command with mlver's own help page."""

    def format_help(self, ctx: Context, formatter: Any) -> None:
        """Write the help page."""
        write_help(self, ctx, formatter)


class PathsAfterDashes(Command):
    """A command whose words after `--` are paths: they are kept apart from the words before."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Cut the arguments at the first `--`."""
        if "--" in args:
            cut = args.index("--")
            ctx.meta[AFTER_DASHES] = args[cut + 1 :]
            args = args[:cut]
        return super().parse_args(ctx, args)


def new_app(**settings: Any) -> typer.Typer:
    """Return an empty app with mlver's manners."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": HELP_OPTIONS},
        **settings,
    )


def verb(
    app: typer.Typer,
    name: str | None = None,
    *,
    examples: Sequence[tuple[str, str]],
    exits: Mapping[int, str] | None = None,
    dated: bool = False,
    after_dashes: bool = False,
    passes_through: bool = False,
    own: Sequence[str] = (),
) -> Callable[[Callable[Concatenate[Session, _P], int | None]], Callable[..., int | None]]:
    """Register a function as a command of `app`.

    The function takes the session and its own options, and returns an exit code or None for 0.
    `examples` are (command line, what it does); `exits` are exit codes with a meaning of their own;
    `dated` shows --date and --author in the help; `after_dashes` keeps words after `--` apart in
    `session.after_dashes`; `passes_through` ends mlver's own options at the first plain word; `own` names shared
    options that the function declares itself, with a meaning of their own.
    """

    def register(body: Callable[Concatenate[Session, _P], int | None]) -> Callable[..., int | None]:
        @functools.wraps(body)
        def wrapper(*args: Any, ctx: typer.Context, **values: Any) -> int | None:
            session = ctx.ensure_object(Session)
            session.update(**{option: values.pop(option) for option in _SHARED if option not in own})
            session.after_dashes = ctx.meta.get(AFTER_DASHES)
            try:
                return body(session, *args, **values)
            except KeyboardInterrupt:
                raise Interrupted from None
            except BrokenPipeError:
                raise ReaderGone from None

        signature = inspect.signature(body, eval_str=True)
        shared = [parameter for parameter in _shared(dated) if parameter.name not in own]
        wrapper.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*list(signature.parameters.values())[1:], _parameter("ctx", typer.Context), *shared]
        )
        wrapper.examples = tuple(examples)  # type: ignore[attr-defined]
        wrapper.exits = dict(exits or {})  # type: ignore[attr-defined]
        settings: dict[str, Any] = {"help_option_names": HELP_OPTIONS}
        if passes_through:
            settings["allow_interspersed_args"] = False
        cls = PathsAfterDashes if after_dashes else Command
        app.command(name, cls=cls, context_settings=settings)(wrapper)
        return wrapper

    return register


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _shared(dated: bool) -> list[inspect.Parameter]:
    return [
        _parameter("json_", options.Json, False),
        _parameter("quiet", options.Quiet, False),
        _parameter("verbose", options.Verbose, False),
        _parameter("no_color", options.NoColor, False),
        _parameter("no_pager", options.NoPager, False),
        _parameter("date", options.ShownDate if dated else options.Date, None),
        _parameter("author", options.ShownAuthor if dated else options.Author, None),
    ]
