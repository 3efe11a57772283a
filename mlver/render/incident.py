"""Pages of `incident`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.render.document import Block, Grid, Heading, Items, Line, Paragraph, Tiles, say, text_page
from mlver.render.lines import Columns, Part, command_line, indented, line, paragraphs, whole
from mlver.render.values import lasted, many, span, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.repo.incident_facts import FollowUp, Incident
    from mlver.verbs.incident import IncidentsResult
    from mlver.verbs.incident_result import BadRelease, CommitStory, IncidentReportResult, SloThenNow

STATES = {"open": "warning", "closed": "good", "met": "good", "broken": "bad", "unknown": "warning"}


def incidents_page(result: IncidentsResult) -> Piece:
    """One row per incident."""
    if not result.incidents:
        return line("no incidents")
    rows: list[list[Part | None]] = [
        [
            (one.id, "head"),
            (one.state, STATES[one.state]),
            (when(one.opened), "quiet"),
            (who(one.by), "who"),
            many(len(one.open_follow_ups), "follow-up") if one.open_follow_ups else "",
            one.reason,
        ]
        for one in result.incidents
    ]
    return Columns(rows, head=("incident", "state", "opened", "by", "left", "why"), wrap=(5,))


def incident_page(incident: Incident) -> Piece:
    """One incident after something was recorded: state, what is tied to it, what is left."""
    lines: list[Piece] = [_head(incident), indented(line(incident.reason, wrap=True))]
    counts = [
        many(len(incident.alerts), "alert"),
        many(len(incident.linked("cause")), "cause"),
        many(len(incident.affected), "affected", "affected"),
        many(len(incident.open_follow_ups), "follow-up"),
    ]
    said = ", ".join(text for text in counts if not text.startswith("0 "))
    return paragraphs([*lines, *([indented(line((said, "quiet")))] if said else [])])


def incident_show_page(result: IncidentReportResult) -> Piece:
    """One screen: what it is, what serves now, what is tied to it, and what to type next."""
    incident = result.incident
    head: list[Piece] = [_head(incident), indented(line(incident.reason, wrap=True))]
    blocks: list[Block] = [*_released(result)]
    if result.causes:
        blocks += [Heading("causes"), _commit_items(result.causes)]
    elif result.came_with:
        blocks += [Heading("what came with the release"), _commit_items(result.came_with)]
    if incident.follow_ups:
        blocks += [Heading("follow-ups"), _follow_ups(incident.follow_ups)]
    next_ = [indented(whole((text, "command"))) for text in _next(result)]
    return paragraphs(head, [text_page(blocks)] if blocks else None, [line(("next", "head")), *next_])


def report_blocks(result: IncidentReportResult) -> list[Block]:
    """Return the report: summary, releases, causes, timeline, objectives, who was hit, what is left."""
    incident = result.incident
    closed = f", closed {when(incident.closed)} by {who(incident.closed_by)}" if incident.closed else ""
    blocks: list[Block] = [
        Heading(f"Incident {incident.id}: {incident.reason}", 1),
        Paragraph(
            say(
                (incident.state, STATES[incident.state]),
                f", opened {when(incident.opened)} by {who(incident.by)}{closed}",
            )
        ),
    ]
    if incident.outcome:
        blocks.append(Paragraph(say(incident.outcome)))
    blocks.append(Tiles(tuple(_tiles(result))))
    blocks += _released(result)
    blocks += [Heading("Causes")]
    if result.causes:
        blocks.append(_commit_items(result.causes))
    else:
        blocks.append(Paragraph(say(("nobody has named a cause yet", "warning"))))
    if result.came_with:
        blocks += [Heading("Also came with the release; not judged"), _commit_items(result.came_with)]
    if result.named:
        blocks += [Heading("Commits that name the incident"), _commit_items(result.named)]
    blocks += [Heading("Timeline"), _timeline(result)]
    if result.slos:
        blocks += [Heading("Objectives, then and now"), _slos(result.slos)]
    blocks += [Heading("Affected"), *_affected(incident)]
    blocks += [Heading("Follow-ups")]
    blocks.append(_follow_ups(incident.follow_ups) if incident.follow_ups else Paragraph(say("none")))
    if result.problems:
        blocks += [Heading("Could not be worked out"), Items(tuple(say((text, "warning")) for text in result.problems))]
    return blocks


def _head(incident: Incident) -> Piece:
    return line(
        (incident.id, "head"), "  ", (incident.state, STATES[incident.state]), f"  since {when(incident.opened)}, by ",
        (who(incident.by), "who"), wrap=True,
    )  # fmt: skip


def _tiles(result: IncidentReportResult) -> Iterator[tuple[str, str, str]]:
    incident = result.incident
    if result.releases:
        running = any(one.until is None for one in result.releases)
        yield lasted(result.served_seconds), "a bad release " + ("has served" if running else "served"), "bad"
    yield str(len(result.causes)), "cause" if len(result.causes) == 1 else "causes", ""
    yield str(len(incident.affected)), "affected", "bad" if incident.affected else ""
    left = len(incident.open_follow_ups)
    yield str(left), "follow-up open" if left == 1 else "follow-ups open", "warning" if left else "good"


def _released(result: IncidentReportResult) -> list[Block]:
    if not result.releases:
        return [Heading("Releases"), Paragraph(say("no release is tied to it: no alert fired on one, none was linked"))]
    items, nested = [], []
    for one in result.releases:
        items.append(
            say(
                (place(one.stage, one.scope), "stage"), " served ", (one.commit.short, "id"), f" {one.subject}, ",
                (f"{span(one.since, one.until)} ({lasted(one.seconds)})", "bad"),
            )
        )  # fmt: skip
        nested.append(tuple(_release_lines(one)))
    return [Heading("Releases"), Items(tuple(items), tuple(nested))]


def _release_lines(one: BadRelease) -> Iterator[str]:
    yield f"made live by {who(one.actor)}" + (f": {one.reason}" if one.reason else "")
    if one.ended and one.next:
        reason = f": {one.ended_reason}" if one.ended_reason else ""
        yield f"ended by {who(one.ended_by)}, {one.ended} to {one.next.short}{reason}"
    yield f"is here because {one.found}"


def _commit_items(stories: Sequence[CommitStory]) -> Items:
    items, nested = [], []
    for story in stories:
        if story.commit is None:
            items.append(say((story.part or "", "head")))
        else:
            tickets = f" [{', '.join(story.tickets)}]" if story.tickets else ""
            items.append(
                say((story.commit.short, "id"), "  ", (who(story.author), "who"), f"  {when(story.time)}{tickets}  ",
                    story.subject)
            )  # fmt: skip
        lines = [f"why: {story.why}"] if story.why and story.why != story.subject else []
        lines += [*story.lines, *([f"{story.said} ({who(story.by)})"] if story.said else [])]
        nested.append((*lines, *([story.missing] if story.missing else [])))
    return Items(tuple(items), tuple(nested))


def _timeline(result: IncidentReportResult) -> Block:
    tones = {"alert": "bad", "move": "stage", "metrics": "warning", "incident": "head"}
    began = min((one.since for one in result.releases), default=None)
    rows = tuple(
        (
            say((when(event.at), "quiet")),
            say((_after(event.at, began), "quiet")),
            say((event.sort, tones.get(event.sort, "quiet"))),
            say((who(event.by), "who")),
            say(event.text),
        )
        for event in result.timeline
    )
    return Grid(("when", "after", "what", "who", ""), rows, right=(1,), wrap=(4,))


def _after(moment: datetime, began: datetime | None) -> str:
    """How long after the release went live; nothing for what came before it."""
    if began is None or moment < began:
        return ""
    seconds = (moment - began).total_seconds()
    return f"+{lasted(seconds)}" if seconds >= 1 else "+0 min"


def _slos(slos: Sequence[SloThenNow]) -> Block:
    rows = []
    for one in slos:
        learned = f"known since {when(one.learned)}" if one.learned and one.then != one.now else ""
        rows.append(
            (
                say((one.slo, "head")),
                say((one.then, STATES[one.then])),
                say((one.now, STATES[one.now])),
                say(one.why + (f"; {learned}" if learned and one.why else learned)),
            )
        )
    return Grid(("objective", "when it ended", "known now", "why"), tuple(rows), wrap=(3,))


def _affected(incident: Incident) -> list[Block]:
    if not incident.affected:
        return [Paragraph(say("nobody was named (mlver incident link --affected ID)"))]
    return [Paragraph(say((many(len(incident.affected), "id"), "bad"), ": ", ", ".join(incident.affected)))]


def _follow_ups(follow_ups: Sequence[FollowUp]) -> Items:
    items: list[Line] = []
    for one in follow_ups:
        state = ("done ", "good") if one.done else ("open ", "warning")
        about = f"; done {when(one.done)} by {who(one.done_by)}" if one.done else ""
        items.append(say(state, f"{one.number}. {one.text}", (f"  {who(one.by)}, {when(one.at)}{about}", "quiet")))
    return Items(tuple(items))


def _next(result: IncidentReportResult) -> Iterator[str]:
    """Yield what one would type now: first stop the harm, then find out, then clean up."""
    incident = result.incident
    for one in result.releases:
        if one.until is None:
            yield command_line(
                "mlver", "rollback", place(one.stage, one.scope), "--to", "last-good", "--reason", f"{incident.id} WHY"
            )
    if not result.causes and result.releases:
        bad = result.releases[-1]
        base = bad.next.short if bad.next else f"{bad.stage}@{{1}}"
        yield command_line("mlver", "diff", base, bad.commit.short)
        yield command_line("mlver", "incident", "link", incident.id, "--cause", "PATH#UNIT@REV")
    if not incident.alerts and not result.releases:
        yield command_line("mlver", "incident", "link", incident.id, "--alert", "ID")
    if not incident.affected and result.releases:
        yield command_line("mlver", "incident", "link", incident.id, "--affected", "ID")
    if incident.state == "open":
        yield command_line("mlver", "incident", "close", incident.id, "--reason", "WHAT FIXED IT")
    yield command_line("mlver", "incident", "report", incident.id)


def place(stage: str, scope: str) -> str:
    """Return `prod` or `prod/clinic=C`."""
    return f"{stage}/{scope}" if scope else stage
