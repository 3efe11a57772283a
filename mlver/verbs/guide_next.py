"""What to type next: the commands that the guide suggests."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from mlver.verbs.guide_result import UNCHANGED, GuidedAlert, ReleaseChanges

_BLAMES = 2


def alert_commands(one: GuidedAlert) -> tuple[str, ...]:
    """Return what to type about one alert: why the old remedy is gone, and how to say what was done."""
    places = [(fate.path, fate.unit) for fate in (one.last.undone if one.last else ())]
    places += [(m.path, m.unit) for m in one.mentions if m.path and m.now != UNCHANGED]
    commands = [f"mlver blame {quote(f'{path}#{unit}' if unit else path)}" for path, unit in dict.fromkeys(places)]
    return (*commands[:_BLAMES], f"mlver alerts act {quote(one.alert.id)} --did '...'")


def guide_commands(alerts: Sequence[GuidedAlert], releases: Sequence[ReleaseChanges]) -> tuple[tuple[str, str], ...]:
    """Return (command, what it does), in the order in which one would type them, each once."""
    found: dict[str, str] = {}
    for release in releases:
        if release.good is not None:
            new = release.stage if release.live and not release.scope else release.bad.short
            found[f"mlver diff {quote(release.good_name)} {quote(new)}"] = "all that changed"
        if release.live and release.good is not None:
            scope = f" --scope {quote(release.scope)}" if release.scope else ""
            found[f"mlver rollback {quote(release.stage)}{scope} --dry-run"] = "what going back would change"
    for one in alerts:
        for command in one.next[:-1]:
            found.setdefault(command, "who changed it, and why")
    if alerts:
        first = quote(alerts[0].alert.id)
        found.setdefault(f"mlver alerts ack {first}", "you are on it")
        found.setdefault(f"mlver alerts act {first} --did '...' --ticket ID", "for whoever comes next")
    return tuple(found.items())
