"""Pages of `rules list` and `rules check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import day, lasted, many, number, who

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.repo.outdated import Moved
    from mlver.verbs.rules_check import CheckedRule, RulesCheckResult
    from mlver.verbs.rules_list import LastAblation, ListedRule, RulesListResult

_ALIKE = 3  # rules that say the same of themselves are shown one by one up to here
_NAMED = 4
_NEW = 60  # seconds
_SLICES = 6  # more do not fit beside each other
_BAD = {"expired", "malformed", "owner left"}


def rules_page(result: RulesListResult) -> Piece:
    """One block per rule, those that need somebody first; rules that are alike in all but their condition as one."""
    unread = [line((path, "path"), ": ", (reason, "bad"), wrap=True) for path, reason in result.unread]
    if not result.rules:
        said = "no rules" if not result.of else f"none of {many(result.of, 'rule')}"
        return paragraphs(unread, line(said))
    blocks = [_block(group, result.now) for group in _alike(result.rules)]
    return paragraphs(unread, *blocks)


def _alike(rules: Sequence[ListedRule]) -> Iterator[list[ListedRule]]:
    """Yield rules in their order, in groups where everything but id and condition is the same."""
    groups: dict[tuple[object, ...], list[ListedRule]] = {}
    for rule in rules:
        same = (rule.path, rule.owner, rule.why, rule.commit, rule.attention, rule.expires, rule.patches)
        unlike = rule.id if rule.ablation or rule.problem or rule.fired.hits else None
        groups.setdefault((*same, unlike), []).append(rule)
    for group in groups.values():
        if len(group) > _ALIKE:
            yield group
        else:
            yield from ([rule] for rule in group)


def _block(group: Sequence[ListedRule], now: datetime) -> list[Piece]:
    rule = group[0]
    head: list[Part] = [(rule.id, "head"), "  ", (rule.path, "path")]
    for word in rule.attention:
        head += ["  ", (word, "bad" if word in _BAD else "warning")]
    rows: list[Line] = [line(rule.text)]
    if rule.problem:
        rows.append(line((rule.problem, "bad"), wrap=True))
    rows += [_owner(rule), _age(rule, now), _fired(rule)]
    if rule.expires:
        past = rule.expires <= now
        rows.append(line((f"{'expired' if past else 'expires'} {day(rule.expires)}", "bad" if past else "warning")))
    if rule.patches:
        rows.append(line(f"patches {rule.patches}"))
    if rule.ablation:
        rows += _ablated(rule.ablation)
    if len(group) > 1:
        names = ", ".join(other.id for other in group[1 : _NAMED + 1]) + (", …" if len(group) > _NAMED + 1 else "")
        rows.append(line(f"and {many(len(group) - 1, 'rule')} like it (--json lists all): {names}", wrap=True))
    return [line(*head), *(indented(row) for row in rows)]


def _owner(rule: ListedRule) -> Line:
    left: Part = (f" (left {day(rule.left)})", "bad") if rule.left else ""
    return line((who(rule.owner) or "nobody", "who"), left, f": {rule.why}" if rule.why else "", wrap=True)


def _age(rule: ListedRule, now: datetime) -> Line:
    if rule.changed is None or rule.commit is None:
        return line(("not committed yet", "warning"))
    ticket = f"  {', '.join(rule.ticket)}" if rule.ticket else ""
    seconds = (now - rule.changed).total_seconds()
    age = f"{lasted(seconds)} old" if seconds >= _NEW else "new"
    about = f" by {who(rule.author)}" if rule.author else ""
    return line(f"{age}: {day(rule.changed)}{about} ", (rule.commit.short, "id"), (ticket, "quiet"))


def _fired(rule: ListedRule) -> Line:
    fired = rule.fired
    if not fired.tables:
        said = "never tested: mlver rules check DATA"
    else:
        where = f"{many(fired.rows, 'row')} in {many(fired.tables, 'table')}"
        said = f"fired on {number(fired.hits)} of {where}" if fired.hits else f"never fired on {where}"
    if rule.alerts:
        said += f", named by {many(rule.alerts, 'alert')}"
    return line(said + (f", last {day(rule.last_fired)}" if rule.last_fired else ""))


def _ablated(found: LastAblation) -> list[Line]:
    label = {"removable": "good", "not removable": "bad"}.get(found.verdict, "warning")
    about = f"without it ({day(found.at)}, {found.data}): "
    return [line(about, (found.verdict, label), f": {found.why}", wrap=True), *stale_lines(found.stale)]


def stale_lines(stale: Sequence[Moved], limit: int = 3) -> list[Line]:
    """One line per part that changed since an answer was found, with the commit that did it."""
    lines = []
    for moved in stale[:limit]:
        by: list[Part] = []
        if moved.commit is not None:
            by = [f" by {who(moved.author)} {day(moved.time)} ", (moved.commit.short, "id")]
        lines.append(line(("stale: ", "warning"), moved.said, *by, wrap=True))
    if len(stale) > limit:
        lines.append(line((f"stale: {len(stale) - limit} more parts changed (--json lists them)", "warning")))
    return lines


def check_page(result: RulesCheckResult) -> Piece:
    """Conditions that fire, bounds that are broken, and what the table says nothing about."""
    commit: list[Part] = ["  at ", (result.commit.short, "id")] if result.commit else []
    head = line((result.data, "path"), "  ", (result.data_id.short, "id"), f"  {many(result.rows, 'row')}", *commit)
    firing = [rule for rule in result.rules if rule.hits or rule.broken]
    table = _hits(result, firing) if firing else None
    holding = [rule for rule in result.rules if rule.broken is False and not rule.hits]
    rest: list[Piece] = []
    if holding:
        opened = max(rule.unknown for rule in holding)
        more = f"; up to {many(opened, 'row')} could not be told: empty cells" if opened else ""
        verb = "holds" if len(holding) == 1 else "hold"
        rest.append(line((f"{many(len(holding), 'bound')} {verb}", "good"), more, wrap=True))
    for rule in (rule for rule in result.rules if rule.silent):
        said = f"this table has no row on which {rule.id} fires: it says nothing about {rule.id}"
        rest.append(line((said, "warning"), f" ({many(rule.unknown, 'row')} open)" if rule.unknown else "", wrap=True))
    untested: dict[str, list[str]] = {}
    for rule in result.rules:
        if rule.untested:
            untested.setdefault(rule.untested, []).append(rule.id)
    for why, ids in untested.items():
        names = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
        rest.append(line((f"not tested: {names}", "quiet"), f": {why}", wrap=True))
    return paragraphs(head, table, rest)


def _hits(result: RulesCheckResult, rules: Sequence[CheckedRule]) -> Piece:
    slices = [one.slice for one in rules[0].slices][:_SLICES]
    rows: list[list[Part | None]] = []
    for rule in rules:
        label = "bad" if rule.broken else "warning" if rule.broken is None else ""
        row: list[Part | None] = [(rule.id, "head"), (_word(rule), label), number(rule.hits), f"{rule.share:.1%}"]
        row += [f"{one.hits}/{one.rows}" for one in rule.slices[:_SLICES]]
        rows.append([*row, (" ".join(rule.keys), "quiet")])
    head = ("rule", "", "rows", "share", *slices, "first")
    return Columns(rows, head=head, right=range(2, 4 + len(slices)))


def _word(rule: CheckedRule) -> str:
    return "fires" if rule.broken is None else "broken" if rule.broken else "tolerated"
