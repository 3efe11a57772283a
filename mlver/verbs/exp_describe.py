"""`exp describe` and `exp verdict`: what an experiment was and how it ended, written from what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.metric_documents import shown_metric
from mlver.repo.repository import Repository
from mlver.repo.transaction import record_facts, recorded
from mlver.repo.verdict_facts import VERDICTS, Verdict, verdict_fact
from mlver.verbs.common import MetricDelta
from mlver.verbs.exp_trials import Lab, Trial
from mlver.verbs.exp_varied import Variation
from mlver.verbs.metric_deltas import INCOMPARABLE
from mlver.verbs.metrics import diff_metrics

_NAMED = 3  # metrics told in the text, of the worse and of the better ones


@frozen
class DescribeResult(Result):
    """One experiment. `worse` and `better` are its metrics against `base`, the largest moves first.

    `others` are those that came, went, are not known or must not be ranked; `same` counts the rest. `outcome` is the
    verdict of a person, else `computed`; `why` says why that is unknown. `text` says it all in sentences.
    """

    schema: ClassVar[str] = "mlver.exp-describe/v1"
    commit: CommitId
    subject: str
    author: str
    time: datetime
    idea: str
    hypothesis: str | None
    base: CommitId | None
    base_subject: str | None
    variation: Variation
    outcome: str
    computed: str
    why: str | None
    verdict: Verdict | None
    worse: tuple[MetricDelta, ...]
    better: tuple[MetricDelta, ...]
    others: tuple[MetricDelta, ...]
    same: int
    text: str


def describe_experiment(repo: Repository, rev: str = "HEAD", *, base: str | None = None) -> DescribeResult:
    """Describe any commit as an experiment, against where it left the main line, or against `base`."""
    repo.refresh()
    lab = Lab(repo)
    trial = lab.trial(lab.found.of(repo.resolve(rev)), base=repo.resolve(base) if base else None)
    # ranked by how much each metric usually varies: worth its while for one experiment, not for hundreds
    deltas = diff_metrics(repo, str(trial.base), str(trial.commit)).metrics if trial.base else trial.metrics
    told = [delta for delta in deltas if not delta.estimate]
    worse, better = (tuple(d for d in told if d.verdict == word) for word in ("worse", "better"))
    return DescribeResult(
        commit=trial.commit,
        subject=trial.subject,
        author=trial.author,
        time=trial.time,
        idea=trial.idea,
        hypothesis=trial.hypothesis,
        base=trial.base,
        base_subject=repo.commit(trial.base).subject if trial.base else None,
        variation=trial.variation,
        outcome=trial.outcome,
        computed=trial.computed,
        why=trial.why,
        verdict=trial.verdict,
        worse=worse,
        better=better,
        others=tuple(delta for delta in told if delta.verdict not in ("worse", "better", "same")),
        same=sum(delta.verdict == "same" for delta in told),
        text=_text(trial, worse, better, told),
    )


def give_verdict(repo: Repository, rev: str, verdict: str, *, reason: str | None = None) -> DescribeResult:
    """Say what became of an experiment: `won`, `lost` or `abandoned`; it counts before what the metrics say."""
    if verdict not in VERDICTS:
        raise UsageError(f"not a verdict: {verdict!r}", hint=", ".join(VERDICTS))
    repo.refresh()
    commit = repo.resolve(rev)
    said = verdict_fact(commit, verdict, (reason or "").strip() or None, known=repo.now(), by=repo.actor)
    record_facts(repo, f"exp verdict {rev} {verdict}", [said], reason=reason)
    with recorded():
        return describe_experiment(repo, str(commit))


def _text(
    trial: Trial, worse: Sequence[MetricDelta], better: Sequence[MetricDelta], deltas: Sequence[MetricDelta]
) -> str:
    """Return the experiment in sentences; the same facts give the same text."""
    variation = trial.variation
    varied = "; ".join(f"{one.kind}: {', '.join(one.changes)}" for one in variation.varied)
    lines = [f"Varied: {varied or 'nothing known'}."]
    lines += [f"Fixed: {', '.join(variation.fixed)}."] if variation.fixed else []
    lines += [f"Got worse: {_moves(worse)}."] if worse else []
    lines += [f"Got better: {_moves(better)}."] if better else []
    refused = dict.fromkeys(d.note for d in deltas if d.verdict == INCOMPARABLE and d.note)
    lines += [f"{note[:1].upper()}{note[1:]}." for note in refused if note]
    verdict = trial.verdict
    if verdict:
        reason = f": {verdict.reason}" if verdict.reason else ""
        lines.append(f"Outcome: {verdict.verdict}, says {verdict.by.partition(' <')[0]}{reason}.")
    else:
        lines.append(f"Outcome: {trial.outcome}{f', for {trial.why}' if trial.why else ''}.")
    lines += [f"Hypothesis: {trial.hypothesis}"] if trial.hypothesis else []
    return "\n".join(lines)


def _moves(deltas: Sequence[MetricDelta]) -> str:
    told = [f"{shown_metric(d.name, d.slice)} {d.old:.6g} -> {d.new:.6g} ({d.new - d.old:+.6g})" for d in deltas]
    more = f", and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return ", ".join(told[:_NAMED]) + more
