"""`mlver alerts mute`, `unmute` and `mutes`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.alerts_app import AsOf, Reason, Type, app
from mlver.cli.command import verb
from mlver.cli.session import Session

_Type = Annotated[str, typer.Argument(help="The type, and all types below it: psi is psi.mean_texture too.")]
_Stage = Annotated[
    str | None,
    typer.Option("--stage", metavar="STAGE", help="On this stage only.", autocompletion=complete.stage),
]


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts mute psi --for 24h --reason 'new scanner, TRI-60'", "until tomorrow"),
        ("mlver alerts mute psi --until 2024-05-01 --scope clinic=C --reason TRI-60", "for clinic C"),
    ],
)
def mute(
    session: Session,
    type: _Type,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="When it ends.")] = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="SPAN", help="How long: 24h, 7d.")] = None,
    reason: Reason = None,
    stage: _Stage = None,
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help="For these alone, such as clinic=C.")] = "",
) -> None:
    """Mute a type of alert for a while. An end and a reason are needed.

    Alerts under a mute are recorded and counted like all others, and gates and rollbacks see them;
    only the lists of what waits for somebody leave them out. `mlver alerts mutes` says what it hid.
    """
    from mlver.objects.time import parse_span
    from mlver.render.mutes import mutes_page
    from mlver.verbs.mutes import mute_alerts

    end, span = session.moment(until), parse_span(for_) if for_ else None
    with session.open() as repo:
        result = mute_alerts(repo, type, until=end, for_=span, reason=reason, stage=stage, scope=scope)
    session.show(result, lambda: mutes_page(result), [one.type for one in result.mutes])
    if not result.known_type:
        session.hint(f"no alert of type {type} has ever fired; mlver alerts stats lists the types")


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts unmute psi", "before its time"),
        ("mlver alerts unmute psi --reason 'scanner is back'", "with a word"),
    ],
    exits={1: "no mute of the type holds now"},
)
def unmute(
    session: Session,
    type: Annotated[str, typer.Argument(help="The type, as it was muted.")],
    reason: Reason = None,
    stage: _Stage = None,
    scope: Annotated[str | None, typer.Option("--scope", metavar="SCOPE", help="Only the mute for these.")] = None,
) -> None:
    """End a mute before its time, and see what it hid."""
    from mlver.render.mutes import mutes_page
    from mlver.verbs.mutes import unmute_alerts

    with session.open() as repo:
        result = unmute_alerts(repo, type, reason=reason, stage=stage, scope=scope)
    session.show(result, lambda: mutes_page(result), [one.type for one in result.mutes])


@verb(
    app,
    examples=[
        ("mlver alerts mutes", "all there ever were, and what each hid"),
        ("mlver alerts mutes --active", "what is muted now"),
    ],
)
def mutes(
    session: Session,
    type: Type = None,
    active: Annotated[bool, typer.Option("--active", help="Only those that hold now.")] = False,
    as_of: AsOf = None,
) -> None:
    """List mutes, and what each has hidden: how many alerts, and how many of them close to a rollback."""
    from mlver.render.mutes import mutes_page
    from mlver.verbs.mutes import list_mutes

    with session.open() as repo:
        result = list_mutes(repo, type=type, active=active, as_of=session.moment(as_of))
    session.show(result, lambda: mutes_page(result), [one.type for one in result.mutes])
