"""Pages of `exp`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.metric_rows import metric_blocks
from mlver.render.run import run_page as plain_run_page
from mlver.render.values import day, many, number, signed, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.verbs.exp_describe import DescribeResult
    from mlver.verbs.exp_list import ExperimentsResult, IdeasResult
    from mlver.verbs.exp_run import ExperimentRun
    from mlver.verbs.exp_stats import ExperimentStats

LABELS = {"won": "good", "lost": "bad", "mixed": "warning", "abandoned": "quiet", "same": "quiet", "unknown": "quiet"}
_MARKS = {"better": "better", "worse": "worse"}
_METRICS = 12
_UNKNOWN = "unknown"
_NONE = "no experiments: none was made off the main line, or by mlver exp run"
_IDEA, _IDEA_AT = 12, 2  # the widest an idea may be, and its column


def list_page(result: ExperimentsResult) -> Piece:
    """A line for each: commit, day, idea, what varied, outcome, metric and how it moved; a hypothesis below.

    Where all are of one idea, it stands below the list and leaves its room to what varied.
    """
    if not result.experiments:
        if result.hidden or not result.of:
            return paragraphs([*_hidden(result)] or line(_NONE))
        return line(f"none of {many(result.of, 'experiment')} ended so")
    alone = len({one.idea for one in result.experiments}) == 1
    rows: list[Line | list[Part | None]] = []
    for one in result.experiments:
        row: list[Part | None] = [
            (one.commit.short, "id"),
            (day(one.time), "quiet"),
            (_cut(one.idea, _IDEA), "ref"),
            one.varied or ("nothing known", "quiet"),
            (one.outcome, LABELS.get(one.outcome, "")),
            "–" if one.value is None else number(one.value),
            ("" if one.delta is None else signed(one.delta), _MARKS.get(one.verdict, "quiet")),
        ]
        rows.append([*row[:_IDEA_AT], *row[_IDEA_AT + alone :]])
        if one.hypothesis:
            rows.append(line((f"  hypothesis: {one.hypothesis}", "quiet")))
        if one.reason and one.outcome != _UNKNOWN:
            rows.append(line((f"  {one.outcome}: {one.reason}", "quiet")))
    titles = ("", "", "idea", "varied", "", result.metric or "", "")
    head = [*titles[:_IDEA_AT], *titles[_IDEA_AT + alone :]]
    table = Columns(rows, head=head, right=(5 - alone, 6 - alone), grow=3 - alone)
    return paragraphs(table, [*_endings(result, alone), *_hidden(result)])


def _endings(result: ExperimentsResult, alone: bool) -> list[Piece]:
    """How many ended how, then why some are not known to have ended at all."""
    counts = Counter(one.outcome for one in result.experiments)
    of = f", idea {result.experiments[0].idea}" if alone else ""
    told = ", ".join(f"{counts[word]} {word}" for word in LABELS if counts[word])
    why = Counter(one.reason for one in result.experiments if one.outcome == _UNKNOWN and one.reason)
    unknown = [line((f"{count} unknown: {reason}", "quiet"), wrap=True) for reason, count in why.items()]
    return [line((f"{many(len(result.experiments), 'experiment')}{of}: {told}", "quiet")), *unknown]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _hidden(result: ExperimentsResult) -> list[Piece]:
    return [line((f"{number(result.hidden)} abandoned not shown (--all)", "quiet"))] if result.hidden else []


def tree_page(result: IdeasResult) -> Piece:
    """A line for each idea: how it did, how many experiments, how those ended, the best value."""
    if not result.ideas:
        return line(_NONE)
    rows: list[list[Part | None]] = [
        [
            (idea.idea, "ref"),
            (idea.outcome, LABELS.get(idea.outcome, "")),
            number(idea.experiments),
            ", ".join(f"{count} {word}" for word, count in idea.outcomes.items()),
            (_days(idea.first, idea.last), "quiet"),
            number(idea.best) if idea.best_commit else "",
        ]
        for idea in result.ideas
    ]
    head = ("idea", "", "tried", "", "", f"best {result.metric}" if result.metric else "")
    return Columns(rows, head=head, right=(2, 5), grow=3, wrap=(3,))


def _days(first: datetime, last: datetime) -> str:
    return day(last) if day(first) == day(last) else f"{day(first)} – {day(last)[5:]}"


def describe_page(result: DescribeResult) -> Piece:
    """What varied, what was fixed, what got worse and better, and how it ended in one word."""
    head = [
        line((result.commit.short, "id"), f"  {result.subject}"),
        line((f"{when(result.time)} by {who(result.author)}, idea ", "quiet"), (result.idea, "ref")),
    ]
    if result.hypothesis:
        head.append(line(("hypothesis: ", "quiet"), result.hypothesis, wrap=True))
    against: list[Part] = []
    if result.base:
        against = [(", against ", "quiet"), (result.base.short, "id"), f" {result.base_subject}"]
    outcome: list[Piece] = [line((result.outcome, LABELS.get(result.outcome, "")), *against)]
    if result.verdict:
        said = f"says {who(result.verdict.by)}, {when(result.verdict.known)}"
        reason = f": {result.verdict.reason}" if result.verdict.reason else ""
        metrics = f"; the metrics say {result.computed}" if result.computed != result.outcome else ""
        outcome.append(indented(line(f"{said}{reason}{metrics}", wrap=True)))
    elif result.why:
        outcome.append(indented(line((result.why, "warning"), wrap=True)))
    rows: list[list[Part | None]] = [
        [(one.kind if not number_ else "", "kind"), text]
        for one in result.variation.varied
        for number_, text in enumerate(one.changes)
    ]
    varied: list[Piece] = [line(("varied", "quiet"))]
    varied += [indented(Columns(rows, wrap=(1,)))] if rows else [indented(line("nothing that is known"))]
    if result.variation.fixed:
        varied.append(line(("fixed: ", "quiet"), ", ".join(result.variation.fixed)))
    if result.variation.models:
        varied.append(line(("came out: ", "quiet"), (", ".join(result.variation.models), "path")))
    others = [one for one in result.others if one.verdict != _UNKNOWN]
    moved = list(metric_blocks([*result.worse, *result.better, *others], most=_METRICS))
    counted = ((result.same, "the same"), (len(result.others) - len(others), "not known of both"))
    moved += [line((f"{many(count, 'metric')} {what}", "quiet")) for count, what in counted if count]
    return paragraphs(head, outcome, varied, moved)


def stats_page(result: ExperimentStats) -> Piece:
    """The shares, then a line for each week."""
    if not result.experiments:
        return line(_NONE)
    rows: list[list[Part | None]] = [
        ["experiments", number(result.experiments), f"{result.per_week:.3g} a week" if result.per_week else ""],
        ["won", number(result.won), _share(result.share_won)],
        ["promoted", number(result.promoted), _share(result.share_promoted)],
        ["promoted or merged", number(result.used), _share(result.share_used)],
        ["good ideas", f"{number(result.good_ideas)} of {number(result.ideas)}", _share(result.share_good_ideas)],
    ]
    weeks: list[list[Part | None]] = [
        [day(w.monday), *(number(n) for n in (w.experiments, w.won, w.lost, w.promoted, w.merged))]
        for w in result.weeks
    ]
    head = ("week of", "experiments", "won", "lost", "promoted", "merged")
    return paragraphs(Columns(rows, right=(1,)), Columns(weeks, head=head, right=range(1, 6), grow=0))


def _share(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.3g} %"


def left_out_lines(left: Mapping[str, int]) -> list[Piece]:
    """One quiet line for each reason for which experiments were not ranked."""
    return [line((f"{number(count)} not ranked: {why}", "quiet"), wrap=True) for why, count in left.items()]


def run_page(result: ExperimentRun) -> Piece:
    """How the run ended, and the commit."""
    made = result.committed
    if made is None or made.commit is None:
        nothing = result.run.exit == 0 and not result.run.skipped
        return paragraphs(plain_run_page(result.run), line("nothing to commit: all is as before") if nothing else None)
    where = f" on {made.branch}" if made.branch else ""
    return paragraphs(
        plain_run_page(result.run),
        [line(("committed ", "good"), (made.commit.short, "id"), f"{where}: {made.message}")],
    )
