"""Pages of `rules replay`, `rules ablate` and `rules backtest`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.rules import stale_lines
from mlver.render.values import brief, day, many, number, when, who

if TYPE_CHECKING:
    from mlver.objects.ids import CommitId
    from mlver.render.layout import Piece
    from mlver.repo.ablation_facts import Answer, MetricChange
    from mlver.verbs.rules_ablate import AblatedAnswer, AblateResult
    from mlver.verbs.rules_backtest import RulesBacktestResult
    from mlver.verbs.rules_replay import RulesReplayResult

_CHANGES = 6
_SIDE_BY_SIDE = 5
_VERDICTS = {"removable": "good", "not removable": "bad", "says nothing": "warning"}
_LABELS = {"better": "good", "worse": "bad", "gone": "bad"}


def replay_page(result: RulesReplayResult) -> Piece:
    """How many rows are decided otherwise, which way, where; then the rules that made the difference."""
    head = line(_side(result.old), (" → ", "quiet"), _side(result.new), "  on ", (result.data, "path"))
    said = f"{number(result.flipped)} of {many(result.rows, 'row')} decided otherwise"
    summary = line((said, "bad" if result.flipped else "good"))
    flips: list[list[Part | None]] = []
    slices = [part.slice for part in result.flips[0].slices] if result.flips else []
    for flip in result.flips:
        parts = [f"{part.hits}/{part.rows}" for part in flip.slices]
        flips.append([f"{flip.old} → {flip.new}", number(flip.rows), *parts, (" ".join(flip.keys), "quiet")])
    table = Columns(flips, head=("decision", "rows", *slices, "first"), right=range(1, 2 + len(slices)))
    rules: list[list[Part | None]] = [
        [(rule.id, "head"), (rule.path, "path"), rule.change, _count(rule.old_hits), _count(rule.new_hits),
         f"+{rule.starts}", f"-{rule.stops}"]
        for rule in result.rules if rule.change != "same" or rule.starts or rule.stops
    ]  # fmt: skip
    head_rules = ("rule", "", "", "fired", "fires", "starts", "stops")
    changed = Columns(rules, head=head_rules, right=(3, 4, 5, 6), grow=1) if rules else line("the same rules")
    untested = [rule.id for rule in result.rules if rule.untested and rule.change != "same"]
    note = line((f"not tested: {', '.join(untested)}", "warning"), wrap=True) if untested else None
    return paragraphs([head, summary], table if flips else None, changed, note)


def _side(commit: CommitId | None) -> Part:
    return (commit.short, "id") if commit else ("work tree", "id")


def _count(hits: int | None) -> str:
    return "–" if hits is None else number(hits)


def ablate_page(result: AblateResult) -> Piece:
    """Each question with its verdicts, what changed, and whether it still holds."""
    if not result.ablations:
        return line("nobody ever measured without a rule: mlver rules ablate DATA -- COMMAND")
    blocks = [_ablation(one) for one in result.ablations]
    noise = [line((f"differs from run to run: {', '.join(result.unstable)}", "warning"))] if result.unstable else []
    return paragraphs(*blocks, noise)


def _ablation(one: AblatedAnswer) -> list[Piece]:
    head: list[Part] = [(one.rules, "path"), " at ", (one.commit.short, "id"), " on ", (one.data, "path")]
    rows: list[Piece] = [line(*head, (f"  {when(one.at)} by {who(one.by)}", "quiet"))]
    rows += [indented(row) for row in stale_lines(one.stale)]
    if one.asked:
        rows.append(indented(line(("asked: ", "quiet"), "; ".join(one.asked), wrap=True)))
    for answer in one.answers:
        rows += [indented(row) for row in _answer(answer)]
    return rows


def _answer(answer: Answer) -> list[Piece]:
    fires = f", fires on {many(answer.hits, 'row')}" if answer.hits and answer.changes else ""
    head = line(
        "without ", (" and ".join(answer.off), "head"), ": ", (answer.verdict, _VERDICTS[answer.verdict]), fires
    )
    if not answer.changes:
        return [line(head, f": {answer.why}", wrap=True)]
    shown: list[Piece] = [head]
    cells: list[list[Part | None]] = [_change(change) for change in answer.changes[:_CHANGES]]
    shown.append(indented(Columns(cells, right=(1, 3), grow=0)))
    if answer.why and answer.verdict == "says nothing":
        shown.append(indented(line(answer.why, wrap=True)))
    if len(answer.changes) > _CHANGES:
        shown.append(indented(line((f"{len(answer.changes) - _CHANGES} more (--json lists all)", "quiet"))))
    return shown


def _change(change: MetricChange) -> list[Part | None]:
    name = f"{change.metric}{{{change.slice}}}" if change.slice else change.metric
    label = _LABELS.get(change.verdict, "quiet")
    return [name, _number(change.with_), ("→", "quiet"), _number(change.without), (change.verdict, label)]


def _number(value: object) -> str:
    return number(value) if value is None or isinstance(value, (int, float)) else brief(value)


def backtest_page(result: RulesBacktestResult) -> Piece:
    """Each proposal with how often it would have been right; then every version of the data."""
    versions = result.backtests[0].versions
    bad = sum(bool(version.bad) for version in versions)
    head = line(
        (result.data, "path"),
        f"  {many(len(versions), 'version')}, {bad} with an alert acted on or a commit marked bad",
    )
    rows: list[list[Part | None]] = [
        [(one.name, "head"), number(one.fired), (number(one.true), "good"), (number(one.false), "warning"),
         (number(one.missed), "bad" if one.missed else "")]
        for one in result.backtests
    ]  # fmt: skip
    table = Columns(rows, head=("proposal", "fired", "true", "false", "missed"), right=(1, 2, 3, 4), grow=0)
    shown = result.backtests[:_SIDE_BY_SIDE]
    lines: list[list[Part | None]] = []
    for place, version in enumerate(versions):
        hits = [one.versions[place].hits for one in shown]
        row: list[Part | None] = [day(version.since), (version.path, "path"), (version.id.short, "id")]
        row += [number(version.rows), *("–" if hit is None else number(hit) for hit in hits)]
        lines.append([*row, (", ".join(version.bad), "bad")])
    names = [one.name.rpartition("= ")[2] if " = " in one.name else one.name for one in shown]
    columns = Columns(
        lines, head=("since", "", "", "rows", *names, "bad because"), right=range(3, 4 + len(shown)), grow=-1
    )
    untested = {version.untested for one in result.backtests for version in one.versions if version.untested}
    notes = [line((f"not tested: {why}", "warning"), wrap=True) for why in sorted(untested)]
    return paragraphs(head, table, columns, notes)
