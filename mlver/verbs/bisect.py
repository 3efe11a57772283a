"""`bisect`: which commit turned it bad? Over all kinds, by the user's own command, or by what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ClassVar

from mlver.errors import NegativeAnswer, UsageError
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.kinds.base import Unreadable, Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.bisection import BAD, GOOD, SKIP, Bisection
from mlver.repo.conditions import Condition, judge, parse_condition
from mlver.repo.history import ancestors
from mlver.repo.metric_facts import MetricValue, metric_values
from mlver.repo.repository import Repository
from mlver.verbs.diff import diff
from mlver.verbs.trials import Bundle, Outcome, Question, Trials, deciding, outcome_of

AS_COMMITTED, REBUILT, RECORDED, PROFILE = "as committed", "rebuilt", "recorded", "profile"
Judge = Callable[[CommitId], Outcome]
_BY_EXIT = "the command ends with 0"
_UNTRIED = {  # what to do when no commit could be tried, by mode
    RECORDED: "mlver metrics list shows what was measured; a command after -- measures",
    PROFILE: "COLUMN.nulls, .distinct, .min, .max, .mean, or rows; mlver show PATH lists the columns",
}


@frozen
class Trial:
    """One commit that was tried: `good`, `bad` or `skip`, the value that decided, why, and the steps run again."""

    commit: CommitId
    subject: str
    verdict: str
    value: float | None = None
    why: str = ""
    seconds: float = 0.0
    rebuilt: tuple[str, ...] = ()


@frozen
class FirstBad:
    """The commit that turned it bad: who, when, why, and a line for each artifact it changed."""

    commit: CommitId
    subject: str
    author: str
    time: datetime
    why: str
    changes: tuple[str, ...]


@frozen
class BisectResult(Result):
    """What was asked and what came out.

    `mode` says which question was answered: `as committed` (each bundle as it stands in its commit), `rebuilt`
    (its models made anew from what the commit holds), `recorded` (metric values on record) or `profile` (what
    a version of a table looks like). `found` is one commit, or several when commits that could not be tried
    leave it open. Its value and that of the commit before it stand in `trials`.
    """

    schema: ClassVar[str] = "mlver.bisect/v1"
    mode: str
    condition: str
    good: CommitId
    bad: CommitId
    candidates: int
    found: tuple[FirstBad, ...]
    trials: tuple[Trial, ...]
    command: tuple[str, ...] = ()


def bisect(repo: Repository, good: str, bad: str, question: Question) -> BisectResult:
    """Return the first commit between `good` and `bad` whose bundle is bad, tried by a command of the user.

    Both ends are taken at their word until the answer rests on them, then they are tried as well. Raises
    NegativeAnswer when an end is not what it is said to be, or nothing could be tried.
    """
    trials = Trials(repo, question)

    def try_(commit: CommitId) -> Outcome:
        known = repo.commit(commit)
        return trials.of(Bundle(repo.snapshot(commit).artifacts, tuple(known.derivations.values())))

    mode = REBUILT if question.rebuild else AS_COMMITTED
    text = question.condition.text if question.condition else _BY_EXIT
    return _search(repo, good, bad, try_, mode, text, question.command)


def bisect_stored(
    repo: Repository,
    good: str,
    bad: str,
    *,
    metric: str | None = None,
    profile: str | None = None,
    of: str | None = None,
) -> BisectResult:
    """Return the first bad commit by what is stored: metric values, or the profile of the table `of`."""
    if metric and not profile:
        return bisect_recorded(repo, good, bad, parse_condition(metric, "--metric"))
    if profile and of and not metric:
        return bisect_profile(repo, good, bad, parse_condition(profile, "--profile"), of)
    hint = "a command after --, --metric CONDITION, or --profile CONDITION --of TABLE"
    raise UsageError("what makes a commit bad?", hint=hint)


def bisect_recorded(repo: Repository, good: str, bad: str, condition: Condition) -> BisectResult:
    """Return the first bad commit by the metric values on record; commits without one cannot be tried."""

    def look(commit: CommitId) -> Outcome:
        return outcome_of(deciding(judge(condition, metric_values(repo, commit, files=True))))

    return _search(repo, good, bad, look, RECORDED, condition.text, ())


def bisect_profile(repo: Repository, good: str, bad: str, condition: Condition, path: str) -> BisectResult:
    """Return the first commit in which the profile of an artifact breaks `condition`, such as `state.distinct >= 50`.

    A name is `rows`, `columns`, or COLUMN.STATISTIC: `nulls`, `null_rate`, `distinct`, `min`, `max`, `mean` ...
    """
    tree_path = repo.tree_path(path)
    known: dict[object, Outcome] = {}

    def look(commit: CommitId) -> Outcome:
        snapshot = repo.snapshot(commit)
        if tree_path not in snapshot:
            return Outcome(SKIP, why=f"holds no {tree_path}")
        artifact = snapshot[tree_path]
        if artifact.id not in known:
            kind = registry.get_any(artifact.kind)
            try:
                said = kind.summary(kind.units(snapshot.source(tree_path), snapshot.spec(tree_path)))
                outcome = outcome_of(deciding(judge(condition, _statistics(repo, commit, said))))
                unknown = outcome.verdict == SKIP
                known[artifact.id] = Outcome(SKIP, why=f"no {condition.name} in {tree_path}") if unknown else outcome
            except Unreadable as error:
                known[artifact.id] = Outcome(SKIP, why=str(error))
        return known[artifact.id]

    return _search(repo, good, bad, look, PROFILE, f"{condition.text} in {tree_path}", ())


def _statistics(repo: Repository, commit: CommitId, said: Mapping[str, Value]) -> list[MetricValue]:
    """Return the numbers of a profile as values by name."""
    rows = said.get("rows")
    found: dict[str, Value] = {name: value for name, value in said.items() if isinstance(value, (int, float))}
    for column, about in (said.get("profile") or {}).items():
        for name, value in about.items():
            if isinstance(value, (int, float)):
                found[f"{column}.{name}"] = value
        if isinstance(rows, int) and rows and "nulls" in about:
            found[f"{column}.null_rate"] = about["nulls"] / rows
    now = repo.now()
    return [MetricValue(commit, name, "", value, None, None, None, now, now, by="") for name, value in found.items()]


# -- the search ----------------------------------------------------------------------------------


def _search(
    repo: Repository, good: str, bad: str, try_: Judge, mode: str, text: str, command: tuple[str, ...]
) -> BisectResult:
    first, last = repo.resolve(good), repo.resolve(bad)
    before = set(ancestors(repo, [first]))
    if last in before:
        raise UsageError(f"{bad} is not newer than {good}", hint="mlver bisect --good OLD --bad NEW")
    between = {id: repo.commit(id).parents for id in ancestors(repo, [last], before)}
    search, trials = Bisection(between, last), dict[CommitId, Trial]()

    def tell(commit: CommitId) -> str:
        if commit not in trials:
            one = try_(commit)
            subject = repo.commit(commit).subject
            trials[commit] = Trial(commit, subject, one.verdict, one.value, one.why, one.seconds, one.rebuilt)
        return trials[commit].verdict

    while len(search.left) > 1 and (commit := search.next()) is not None:
        search.tell(commit, tell(commit))
    found = search.first_bad()
    _confirm(repo, found, first, last, trials, tell, mode, text)
    return BisectResult(
        mode=mode,
        condition=text,
        good=first,
        bad=last,
        candidates=len(between),
        found=tuple(_about(repo, id) for id in found),
        trials=tuple(sorted(trials.values(), key=lambda trial: search.place(trial.commit))),
        command=command,
    )


def _confirm(
    repo: Repository,
    found: list[CommitId],
    first: CommitId,
    last: CommitId,
    trials: Mapping[CommitId, Trial],
    tell: Callable[[CommitId], str],
    mode: str,
    text: str,
) -> None:
    """Try the ends that the answer rests on. An end that is not what it was said to be is no end."""
    if found[-1] == last and tell(last) == GOOD:
        raise NegativeAnswer(f"{last.short} is not bad{_value(trials[last], text)}", hint="choose another --bad")
    reached = {parent for id in found for parent in repo.commit(id).parents}
    if first in reached and tell(first) == BAD:
        raise NegativeAnswer(f"{first.short} is not good{_value(trials[first], text)}", hint="choose an older --good")
    if all(trial.verdict == SKIP for trial in trials.values()):
        why = next(iter(trials.values())).why
        raise NegativeAnswer(
            f"no commit could be tried: {why}", hint=_UNTRIED.get(mode, "try the command in the work tree")
        )


def _value(trial: Trial, text: str) -> str:
    if trial.value is None:
        return ""
    return f": {'the command ended with ' if text == _BY_EXIT else ''}{trial.value:.6g}"


def _about(repo: Repository, id: CommitId) -> FirstBad:
    commit = repo.commit(id)
    return FirstBad(id, commit.subject, commit.author, commit.time, commit.why, _changes(repo, id))


def _changes(repo: Repository, id: CommitId) -> tuple[str, ...]:
    parents = repo.commit(id).parents
    if not parents:
        return (f"the first commit: {len(repo.snapshot(id).artifacts)} artifacts",)
    result = diff(repo, str(parents[0]), str(id), limit=0)
    return tuple(f"{artifact.path}: {artifact.summary}" for artifact in result.artifacts)
