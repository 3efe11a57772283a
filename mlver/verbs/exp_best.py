"""`exp best`: the best experiments by a metric, and what they share that the rest lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import comb
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.exp_scores import scores
from mlver.verbs.exp_settings import axes
from mlver.verbs.exp_trials import Lab

_SHARE = 10  # without a number, the top tenth is the top
_LEAST, _MOST = 3, 20


@frozen
class BestExperiment:
    """One of the best. `varied` says in one line what it varied."""

    commit: CommitId
    time: datetime
    author: str
    idea: str
    value: float
    varied: str
    outcome: str


@frozen
class Trait:
    """A value of a setting that the top has more often than the rest: in `top` of its `of_top`, `rest` of `of_rest`.

    `chance` is how likely that many would be among the top if the setting did not matter (Fisher's exact test, one
    sided, times the number of its values and of settings: who looks at much finds something; at most 1).
    """

    name: str
    value: str
    top: int
    of_top: int
    rest: int
    of_rest: int
    chance: float


@frozen
class BestResult(Result):
    """The best by `metric`; `ranked` experiments were compared, `left_out` counts the others by reason.

    `traits` says for each setting which value the top shares, the most telling first; None when not asked.
    """

    schema: ClassVar[str] = "mlver.exp-best/v1"
    metric: str
    higher: bool
    experiments: tuple[BestExperiment, ...]
    ranked: int
    left_out: dict[str, int]
    traits: tuple[Trait, ...] | None = None


def best_experiments(
    repo: Repository,
    metric: str,
    *,
    top: int | None = None,
    why: bool = False,
    idea: str | None = None,
    on: str | None = None,
) -> BestResult:
    """Return the best `top` experiments (a tenth of them, 3 to 20) by a metric, best first.

    Only values on the same version of the data and by the same definition are ranked. With `why`, also which values
    of which settings the top shares that the rest lacks.
    """
    if top is not None and top < 1:
        raise UsageError(f"the top is at least 1: {top}")
    repo.refresh()
    lab = Lab(repo, on)
    found = lab.experiments(idea)
    score = scores(lab, found, metric)
    ranked = score.ranked()
    count = top or min(max(len(ranked) // _SHARE, _LEAST), _MOST)
    by_commit = {one.commit: one for one in found}
    trials = [lab.trial(by_commit[id]) for id in ranked[:count]]
    listed = [
        BestExperiment(t.commit, t.time, t.author, t.idea, score.values[t.commit], t.variation.line, t.outcome)
        for t in trials
    ]
    traits = None
    if why:
        _, settings = axes(lab, [by_commit[id] for id in ranked], others=True)
        traits = tuple(shared_traits(settings[:count], settings[count:]))
    left = Counter(score.left_out.values())
    return BestResult(score.metric, score.higher, tuple(listed), len(ranked), dict(left), traits)


def shared_traits(top: Sequence[Mapping[str, str]], rest: Sequence[Mapping[str, str]]) -> list[Trait]:
    """Return for each setting the value that tells the top from the rest best, the most telling setting first."""
    found = []
    names = list(dict.fromkeys(name for row in (*top, *rest) for name in row))
    for name in names:
        inside, outside = Counter(row.get(name) for row in top), Counter(row.get(name) for row in rest)
        values = [value for value in inside if value is not None]
        tried = len({*inside, *outside})
        if not values or tried < 2:
            continue
        looks = tried * len(names)
        chances = {v: min(1.0, looks * _chance(inside[v], len(top), outside[v], len(rest))) for v in values}
        value = min(values, key=lambda v: (chances[v], -_lead(inside[v], top, outside[v], rest), v))
        found.append(Trait(name, value, inside[value], len(top), outside[value], len(rest), chances[value]))
    leads = {trait.name: _lead(trait.top, top, trait.rest, rest) for trait in found}
    return sorted((t for t in found if leads[t.name] > 0), key=lambda t: (t.chance, -leads[t.name], t.name))


def _lead(inside: int, top: Sequence[object], outside: int, rest: Sequence[object]) -> float:
    return inside / len(top) - (outside / len(rest) if rest else 0.0)


def _chance(top: int, of_top: int, rest: int, of_rest: int) -> float:
    """Return the probability of at least `top` hits among `of_top` drawn from all, without replacement.

    The upper tail of the hypergeometric distribution (R. A. Fisher, JRSS 98, 1935), in whole numbers until the end.
    """
    hits, everything = top + rest, of_top + of_rest
    ways = sum(comb(hits, k) * comb(everything - hits, of_top - k) for k in range(top, min(hits, of_top) + 1))
    return ways / comb(everything, of_top)
