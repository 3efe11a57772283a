"""The document of `handover`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlver.render.document import Block, Grid, Heading, Items, Line, Paragraph, say
from mlver.render.incident import STATES, place
from mlver.render.metric_rows import metric_name
from mlver.render.values import many, number, when, who

if TYPE_CHECKING:
    from mlver.verbs.handover_result import HandoverResult

_COMMITS = 12


def handover_blocks(result: HandoverResult) -> list[Block]:
    """Return the handover: what to watch first, then what serves, what happened and what is left."""
    to = f" to {result.to}" if result.to else ""
    blocks: list[Block] = [
        Heading(f"Handover {when(result.since)} – {when(result.until)}", 1),
        Paragraph(say("by ", (who(result.by), "who"), to, _last(result))),
    ]
    if result.text:
        blocks.append(Paragraph(say(result.text)))
    blocks += _items("Watch", [say(text) for text in result.watch], none="nothing stands out")
    blocks += _items(
        "Live now",
        [
            say((place(one.stage, one.scope), "stage"), " ", (one.commit.short, "id"), f" {one.subject}",
                (f"  since {when(one.since)}, {who(one.actor)}", "quiet"))
            for one in result.live
        ],
        none="nothing",
    )  # fmt: skip
    moves = [say((when(e.at), "quiet"), "  ", (who(e.by), "who"), f"  {e.text}") for e in result.moves]
    blocks += _items("Moved", moves, none="no promotion, no rollback")
    blocks += _alerts(result)
    blocks += _incidents(result)
    blocks += _slos(result)
    blocks += _learned(result)
    blocks += _changes(result)
    if result.problems:
        blocks += _items("Could not be worked out", [say((text, "warning")) for text in result.problems])
    return blocks


def _last(result: HandoverResult) -> str:
    if result.last is None:
        return "; no handover before this one"
    said = f": {result.last.text}" if result.last.text else ""
    return f"; the last one was {when(result.last.at)} by {who(result.last.by)}{said}"


def _items(title: str, items: Sequence[Line], none: str | None = None) -> list[Block]:
    if items:
        return [Heading(title), Items(tuple(items))]
    return [Heading(title), Paragraph(say((none, "quiet")))] if none else []


def _alerts(result: HandoverResult) -> list[Block]:
    items = [
        say((one.id, "head"), f"  {one.type}  {one.severity}",
            (f"  since {when(one.at)}, {many(one.days, 'day')}", "bad" if one.old else "quiet"))
        for one in result.waiting
    ]  # fmt: skip
    blocks = _items("Alerts that wait", items, none="none")
    blocks += _items("Fired", [say(f"{one.type}  {one.fired}, {one.acted} acted on") for one in result.fired])
    muted = [
        say((one.type, "head"), f"  until {when(one.end)} by {who(one.by)}, hid {len(one.hid)}: {one.reason}")
        for one in result.mutes
    ]
    return blocks + _items("Muted", muted)


def _incidents(result: HandoverResult) -> list[Block]:
    items = [say((one.id, "head"), "  ", (one.state, STATES[one.state]), f"  {one.reason}") for one in result.incidents]
    left = [
        say((one.incident, "head"), f"  {one.follow_up.number}. {one.follow_up.text}",
            (f"  {who(one.follow_up.by)}, {when(one.follow_up.at)}", "quiet"))
        for one in result.follow_ups
    ]  # fmt: skip
    return _items("Incidents", items) + _items("Follow-ups open", left)


def _slos(result: HandoverResult) -> list[Block]:
    items: list[Line] = []
    for one in result.slos:
        was = f" (was {one.then})" if one.then and one.then != one.now else ""
        items.append(say((one.name, "head"), "  ", (one.now, STATES[one.now]), was, f"  {one.why}" if one.why else ""))
    return _items("Objectives", items)


def _learned(result: HandoverResult) -> list[Block]:
    rows = tuple(
        (
            say((when(one.known), "quiet")),
            say((one.commit.short, "id"), f" {one.subject}"),
            say(metric_name(one.name, one.slice)),
            say("" if one.before is None else number(one.before)),
            say((number(one.value), "head")),
            say("" if one.n is None else number(one.n)),
        )
        for one in result.learned
    )
    if not rows:
        return []
    more: list[Block] = [Paragraph(say((f"and {result.more_learned} more", "quiet")))] if result.more_learned else []
    head = ("known since", "of", "metric", "before", "value", "n")
    return [Heading("Learned of releases"), Grid(head, rows, right=(3, 4, 5), wrap=(1,)), *more]


def _changes(result: HandoverResult) -> list[Block]:
    rules = [
        say((f"{one.rule} {one.change}", "head"), f"  {who(one.author)}: {one.why or 'no reason'}",
            (f"  {one.path}", "quiet"))
        for one in result.rules
    ]  # fmt: skip
    stale = [say((one.path, "path"), f"  made before {', '.join(one.because)} changed") for one in result.stale]
    commits = [
        say((one.id.short, "id"), "  ", (who(one.author), "who"), f"  {one.subject}")
        for one in result.commits[-_COMMITS:]
    ]
    if len(result.commits) > _COMMITS:
        commits.insert(0, say((f"{len(result.commits) - _COMMITS} more before", "quiet")))
    return _items("Rules", rules) + _items("Stale", stale) + _items("Commits", commits)
