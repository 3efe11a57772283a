"""The page of `oncall guide`: one screen."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mlver.render.alerts import did
from mlver.render.lines import Columns, Part, indented, line, paragraphs, whole
from mlver.render.values import day, lasted, many, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.guide_result import Change, GuidedAlert, GuideResult, Mention, ReleaseChanges, UnitFate

_FATES = 3
_MENTIONS = 3
_WHY = 200


def guide_page(result: GuideResult) -> Piece:
    """Each alert that waits, then what came with the release, then what to type."""
    blocks: list[Piece | list[Piece] | None] = []
    if result.unread:
        blocks.append([line((said, "warning"), wrap=True) for said in result.unread])
    if not result.alerts:
        blocks.append(line(("no alert waits for anybody", "" if result.unread else "good")))
    blocks += [_alert(one, result.at) for one in result.alerts]
    blocks.append(_left(result))
    blocks += [_release(release) for release in result.releases]
    blocks.append(_next(result))
    return paragraphs(*blocks)


def _alert(one: GuidedAlert, now: datetime) -> list[Piece]:
    alert = one.alert
    serious = "warning" if one.first or alert.severity in ("page", "critical") else "quiet"
    acked = f", {alert.state}" if alert.state != "open" else ""
    named: list[Part] = [(alert.id, "unit"), "  ", (alert.type, "path"), "  ", (alert.severity, serious)]
    lines: list[Piece] = [line(*named, f"{acked}  {_ago(alert.at, now)}")]
    lines += [line(alert.summary, wrap=True)] if alert.summary else []
    lines.append(_where(one, now))
    lines.append(_record(one))
    if one.last:
        last: list[Part] = [("last time ", "quiet"), (one.last.alert, "unit"), f" {day(one.last.action.at)} "]
        lines += [line(*last, *_did(one), wrap=True), *_fates(one, now)]
    lines += _mentions(one, now)
    return [lines[0], *(indented(rest) for rest in lines[1:])]


def _did(one: GuidedAlert) -> list[Part]:
    assert one.last is not None
    made = " ".join(commit.short for commit in one.last.action.commits)
    return [did(one.last.action), (f" → {made}" if made else "", "id")]


def _where(one: GuidedAlert, now: datetime) -> Piece:
    alert = one.alert
    stage = "/".join(filter(None, (alert.stage, alert.scope)))
    if alert.live is None:
        return line(f"nothing was live on {stage or 'its stage'}")
    parts: list[Part] = ["on ", (stage, "stage"), ": ", (alert.live.short, "id"), f" {one.subject}"]
    if one.served_since:
        parts.append((f", live since {when(one.served_since)} by {who(one.served_by)}", "quiet"))
    if one.now is not None and one.now != alert.live:
        parts += [("; now ", "good"), (one.now.short, "id"), (" is live", "good")]
    return line(*parts, wrap=True)


def _record(one: GuidedAlert) -> Piece:
    if not one.settled:
        return line((one.advice, "warning"))
    label = "warning" if one.first else "" if one.acted else "quiet"
    waited = f", usually after {lasted(one.to_action)}" if one.to_action is not None else ""
    share = f"acted on {one.acted} of {one.settled} times ({one.low:.0%}–{one.high:.0%}){waited}: "
    undone: Part = (", but what was done then is undone", "warning") if one.last and one.last.undone else ""
    return line(share, (one.advice, label), undone, wrap=True)


def _fates(one: GuidedAlert, now: datetime) -> list[Piece]:
    assert one.last is not None
    undone = one.last.undone
    lines: list[Piece] = []
    for state, says in (("elsewhere", "not in this release"), ("unchanged", "" if undone else "unchanged since")):
        fates = [fate for fate in one.last.fates if fate.now == state]
        if fates and says:
            names = ", ".join(_name(fate) for fate in fates[:_FATES])
            more = f" and {len(fates) - _FATES} more" if len(fates) > _FATES else ""
            lines.append(indented(line(f"{names}{more}: {says}", wrap=True)))
    for fate in undone[:_FATES]:
        lines.append(indented(line((_name(fate), "path"), " was ", *_changed(fate.now, fate.change, now), wrap=True)))
        if fate.change:
            lines.append(indented(line((f'"{fate.change.why[:_WHY]}"', "warning"), wrap=True), 4))
    if len(undone) > _FATES:
        lines.append(indented(line((f"and {len(undone) - _FATES} more were changed since", "quiet"))))
    return lines


def _changed(word: str, change: Change | None, now: datetime) -> list[Part]:
    parts: list[Part] = [(word, "warning")]
    if change is None:
        return [*parts, " on another line of commits"]
    you = " (you)" if change.mine else ""
    return [*parts, f" {_ago(change.time, now)} by {who(change.author)}{you} in ", (change.commit.short, "id")]


def _name(fate: UnitFate | Mention) -> str:
    return f"{fate.path}#{fate.unit}" if fate.unit else fate.path or ""


def _mentions(one: GuidedAlert, now: datetime) -> list[Piece]:
    """What speaks of the names in the alert, but for what was told of already."""
    told = {(fate.path, fate.unit) for fate in one.last.undone[:_FATES]} if one.last else set()
    lines: list[Piece] = []
    units = [mention for mention in one.mentions if mention.path and (mention.path, mention.unit) not in told]
    for mention in units[:_MENTIONS]:
        parts: list[Part] = [(f"{mention.name.replace('_', ' ')}: ", "quiet"), (_name(mention), "path")]
        if mention.now == "unchanged":
            lines.append(line(*parts, f" {mention.text or ''}"))
        else:
            lines.append(line(*parts, " was ", *_changed(mention.now, mention.change, now), wrap=True))
    if len(units) > _MENTIONS:
        lines.append(line((f"and {len(units) - _MENTIONS} more rules or settings speak of it (--json)", "quiet")))
    for mention in one.mentions:
        if mention.columns_of and not units:
            tables = ", ".join(mention.columns_of[:2]) + (" …" if len(mention.columns_of) > 2 else "")
            lines.append(line((f"{mention.name}: ", "quiet"), f"a column of {tables}"))
    return lines


def _left(result: GuideResult) -> list[Piece]:
    lines: list[Piece] = []
    if result.more:
        wait = f"{many(result.more, 'more alert waits', 'more alerts wait')}: mlver alerts ls --state open"
        lines.append(line((wait, "quiet")))
    for muted in result.muted:
        text = f"{many(muted.count, 'alert')} of {muted.type} muted until {when(muted.until)}: {muted.reason}"
        lines.append(line((text, "quiet")))
    return lines


def _release(release: ReleaseChanges) -> list[Piece]:
    stage = "/".join(filter(None, (release.stage, release.scope)))
    if release.good is None:
        return [line("there is no healthy release before it on ", (stage, "stage")), *_passed(release)]
    title = "since the last healthy release" if release.live else "what has gone back: against what is live now,"
    head = line((f"{title} ", "head"), (release.good_name, "ref"), f" ({release.good_subject}):")
    if release.good_name == release.good_subject.partition(":")[0]:
        head = line((f"{title} ", "head"), (release.good_subject, "ref"))
    rows: list[list[Part | None]] = [
        [(change.kind, "kind"), change.summary, (", ".join(map(who, change.authors)), "who")]
        for change in release.changes
    ]
    same: list[Piece] = [] if rows else [indented(line("nothing that is served differs"))]
    return [head, *([indented(Columns(rows, grow=1, wrap=(1,)))] if rows else []), *same, *_passed(release)]


def _passed(release: ReleaseChanges) -> list[Piece]:
    return [indented(line((f"passed over {text}", "quiet"), wrap=True)) for text in release.passed]


def _next(result: GuideResult) -> list[Piece]:
    if not result.next:
        return []
    room = max(len(command) for command, _ in result.next)
    rows = [whole((command.ljust(room), "hint"), "  ", (what, "quiet")) for command, what in result.next]
    return [line(("type next:", "head")), *(indented(row) for row in rows)]


def _ago(then: datetime, now: datetime) -> str:
    """Return `6 h 27 min ago`: two units, for what matters is the order of things."""
    seconds = (now - then).total_seconds()
    if seconds < 0:
        return when(then)
    hours, rest = divmod(int(seconds) // 60, 60)
    if hours >= 48:
        return f"{lasted(seconds)} ago"
    return f"{hours} h {rest} min ago" if hours else f"{rest} min ago" if rest else "just now"
