"""The page of `alerts mutes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Part, indented, line, paragraphs
from mlver.render.values import many, span, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.mutes import MuteReport, MutesResult

_SHOWN = 6


def mutes_page(result: MutesResult) -> Piece:
    """Each mute: for how long, by whom and why, and what it hid."""
    if not result.mutes:
        return line("nothing is or was muted")
    return paragraphs(*(_mute(mute) for mute in result.mutes))


def _mute(mute: MuteReport) -> list[Piece]:
    where = "/".join(filter(None, (mute.stage, mute.scope)))
    state = f"lifted by {who(mute.lifted_by)}" if mute.lifted_by else mute.state
    head: list[Part] = [(mute.type, "path"), f" on {where}" if where else "", f"  {span(mute.since, mute.end)}  "]
    lines: list[Piece] = [line(*head, (state, "warning" if mute.state == "active" else "quiet"))]
    lines.append(indented(line(f"{who(mute.by)}: {mute.reason}", wrap=True)))
    return [*lines, indented(_hid(mute))]


def _hid(mute: MuteReport) -> Piece:
    verb = "hides" if mute.state == "active" else "hid"
    if not mute.hid:
        return line((f"{verb} no alert", "quiet"))
    parts: list[Part] = [f"{verb} {many(len(mute.hid), 'alert')}"]
    if mute.near_rollback:
        parts.append((f", {len(mute.near_rollback)} within 2 h of a rollback ({_some(mute.near_rollback)})", "warning"))
    if mute.critical:
        parts.append((f", {len(mute.critical)} that would have woken somebody ({_some(mute.critical)})", "warning"))
    return line(*parts, wrap=True)


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:_SHOWN]) + (" …" if len(ids) > _SHOWN else "")
