"""Pages of `slo`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlver.render.lines import Part, indented, line, paragraphs
from mlver.render.metric_rows import metric_name
from mlver.render.values import delay, number, span, when, who

if TYPE_CHECKING:
    from datetime import datetime

    from mlver.render.layout import Piece
    from mlver.repo.conditions import Verdict
    from mlver.repo.slo_state import SloTenure
    from mlver.verbs.slo import SloHistoryResult, SloResult, SloState

_LABELS = {"met": "good", "broken": "bad", "unknown": "warning"}


def slo_page(result: SloResult) -> Piece:
    """Every objective with what decides it, then what turned out to be broken in the past."""
    if not result.slos:
        return line("no objective is defined: write [slo.NAME] with require = [...] in mlver.toml", wrap=True)
    past: list[Piece] = []
    if result.past:
        past = [line(("broken in the past:", "head")), *(indented(block) for block in _tenures(result.past))]
    return paragraphs(*_as_of(result.as_of), *(_objective(slo) for slo in result.slos), past)


def slo_history_page(result: SloHistoryResult) -> Piece:
    """One block for each time something was live, newest first."""
    if not result.tenures:
        return line("nothing was live, or no objective is defined (mlver slo)")
    blocks: list[list[Piece]] = []
    for slo in dict.fromkeys(tenure.slo for tenure in result.tenures):
        tenures = [tenure for tenure in result.tenures if tenure.slo == slo]
        blocks.append([line((slo, "head")), *(indented(block) for block in _tenures(tenures))])
    return paragraphs(*_as_of(result.as_of), *blocks)


def _as_of(moment: datetime | None) -> list[Piece]:
    return [line((f"as known at {when(moment)}", "warning"))] if moment else []


def _objective(slo: SloState) -> list[Piece]:
    head: list[Part] = [(slo.state, _LABELS[slo.state]), "  ", (slo.name, "head"), "  on ", (slo.stage, "stage")]
    if slo.owner:
        head += ["  owner ", (who(slo.owner), "who")]
    lines: list[Piece] = [line(*head)]
    if slo.description:
        lines.append(indented(line((slo.description, "quiet"), wrap=True)))
    if not slo.live:
        return [*lines, indented(line(f"nothing is live: {', '.join(slo.require)}", wrap=True))]
    for tenure in slo.live:
        lines += [indented(block) for block in _tenure(tenure, head=False)]
        lines += [indented(_verdict(verdict), 4) for verdict in tenure.verdicts]
    return lines


def _tenures(tenures: Sequence[SloTenure]) -> list[Piece]:
    return [block for tenure in tenures for block in _tenure(tenure)]


def _tenure(tenure: SloTenure, head: bool = True) -> list[Piece]:
    where = f"{tenure.stage}/{tenure.scope}" if tenure.scope else tenure.stage
    state: list[Part] = [(tenure.state.ljust(7), _LABELS[tenure.state]), "  "] if head else []
    lines: list[Piece] = [
        line(*state, (where, "stage"), "  ", (tenure.commit.short, "id"), f"  {tenure.subject}"),
        indented(line((span(tenure.since, tenure.until), "quiet"), (f", by {who(tenure.actor)}", "quiet"))),
    ]
    if head and tenure.why:
        lines.append(indented(line(tenure.why, wrap=True)))
    if tenure.learned and tenure.learned > tenure.since and tenure.state != "unknown":
        text = f"known since {when(tenure.learned)}, {delay((tenure.learned - tenure.since).total_seconds())} later"
        if tenure.until:
            text += f"; {tenure.at_the_time} when it ended"
        lines.append(indented(line((text, "warning" if tenure.retroactive else "quiet"), wrap=True)))
    return lines


def _verdict(verdict: Verdict) -> Piece:
    name = metric_name(verdict.metric, verdict.slice)
    said = verdict.why or number(verdict.value)
    size = f"n {number(verdict.n)}" if verdict.n is not None else None
    about = "".join(f"  {part}" for part in (size, verdict.dataset, f"asked: {verdict.condition}") if part)
    return line((verdict.state.ljust(7), _LABELS[verdict.state]), f"  {name} {said}", (about, "quiet"))
