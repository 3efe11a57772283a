"""`rules ablate`: is it safe to remove a rule? Measured by the user's own command, the answer kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import combinations
from typing import ClassVar

from mlver.errors import NegativeAnswer, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.ablation_facts import (
    NOT_REMOVABLE,
    REMOVABLE,
    SAYS_NOTHING,
    Ablation,
    Answer,
    ablation_fact,
    ablations,
)
from mlver.repo.measuring import Measured
from mlver.repo.metric_documents import shown_metric
from mlver.repo.outdated import Moved, Outdated
from mlver.repo.repository import Repository
from mlver.repo.rulebook import RuleFile, rule_files
from mlver.repo.transaction import record_facts, recorded
from mlver.verbs.ablation_judge import Asked, Bundle, changes, verdict
from mlver.verbs.ablation_runs import Trial
from mlver.verbs.common import Progress
from mlver.verbs.rule_data import Tested, find_data

__all__ = [
    "NOT_REMOVABLE",
    "REMOVABLE",
    "SAYS_NOTHING",
    "AblateResult",
    "AblatedAnswer",
    "ablate_rules",
    "ablations_of",
]

TIMEOUT = 600.0  # seconds for one run of the command


@frozen
class AblatedAnswer:
    """One question with its answers. `stale` says what it rests on and is another now; empty while it holds."""

    commit: CommitId
    subject: str
    data: str
    data_id: BlobId
    rules: str
    command: tuple[str, ...]
    asked: tuple[str, ...]
    inputs: Mapping[str, BlobId]
    answers: tuple[Answer, ...]
    at: datetime
    by: str
    stale: tuple[Moved, ...] = ()


@frozen
class AblateResult(Result):
    """Questions about rules and what came of them, newest first. `runs` counts how often the command was run now."""

    schema: ClassVar[str] = "mlver.rules-ablate/v1"
    ablations: tuple[AblatedAnswer, ...]
    runs: int = 0
    unstable: tuple[str, ...] = ()


def ablate_rules(
    repo: Repository,
    data: str,
    command: Sequence[str],
    *,
    rules: str | None = None,
    rev: str = "HEAD",
    metrics: Sequence[str] = (),
    pairs: bool = False,
    timeout: float | None = TIMEOUT,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> AblateResult:
    """Measure the bundle of `rev` on a table with each rule off (and each two, with `pairs`), and keep the answers.

    `command` runs in scratch folders; `{data}` in it is the path of the table, `{off}` the rules that are off.
    It prints JSON metrics, or writes them to `{out}`. Verdicts rest on `metrics`: conditions such as
    `recall{clinic=C} >= baseline - 0.01`, or names; without any, on every metric that knows better and worse.
    Raises CommandFailed when the command does not answer, and then nothing is kept.
    """
    if not command:
        raise UsageError("no command", hint="mlver rules ablate DATA -- python evaluate.py {data}")
    asked = Asked.parse(metrics)
    commit = repo.resolve(rev)
    bundle = repo.snapshot(commit)
    table = find_data(repo, data, rev)
    trial = Trial(repo, bundle, table, command, timeout, environment or {})
    run = _Run(repo, trial, asked, Bundle(commit, table.path, table.id, repo.now(), repo.actor), pairs, progress)
    questions = list(_questions(trial, rule_files(bundle, rules), every=rules is not None))
    if not questions:
        raise NegativeAnswer("there is no rule to ask about", hint="mlver rules list")
    found = list(run.answers(questions))
    record_facts(repo, f"rules ablate {data}", [ablation_fact(one, repo.now()) for one in found])
    unstable = tuple(shown_metric(name, part) for name, part in run.noise)
    with recorded():
        state = Outdated(repo, repo.work_snapshot())
        return AblateResult(tuple(_shown(repo, one, state) for one in found), run.runs, unstable)


def ablations_of(repo: Repository, *, rule: str | None = None, as_of: datetime | None = None) -> AblateResult:
    """Return all questions ever asked, or those about one rule, newest first, and whether the answers still hold."""
    state = Outdated(repo, repo.work_snapshot())
    found = [one for one in ablations(repo, as_of) if rule is None or any(rule in a.off for a in one.answers)]
    found.reverse()  # of one moment, what was recorded last comes first
    found.sort(key=lambda one: one.at, reverse=True)
    return AblateResult(tuple(_shown(repo, one, state) for one in found))


def _shown(repo: Repository, one: Ablation, state: Outdated) -> AblatedAnswer:
    return AblatedAnswer(
        commit=one.commit,
        subject=repo.commit(one.commit).subject,
        data=one.data,
        data_id=one.data_id,
        rules=one.rules,
        command=one.command,
        asked=one.asked,
        inputs=one.inputs,
        answers=one.answers,
        at=one.at,
        by=one.by,
        stale=state.moved(one.inputs),
    )


@frozen
class _Question:
    """The rules of one file: `live` ones are switched off, of the others it is known why that says nothing."""

    file: RuleFile
    live: tuple[str, ...]
    hits: Mapping[str, int | None]
    moot: Mapping[str, str]


def _questions(trial: Trial, files: Iterator[RuleFile], every: bool) -> Iterator[_Question]:
    """Yield what there is to ask of each file. Bounds that no row breaks are left out, unless `every` rule is meant."""
    tested = Tested(trial.data)
    for file in files:
        hits: dict[str, int | None] = {}
        moot: dict[str, str] = {}
        for key, outcome in tested.outcomes(file).items():
            hits[key] = None if outcome.why_not is not None else outcome.hits
            if hits[key] == 0 and (every or outcome.sort == "condition"):
                moot[key] = _SILENT
            elif hits[key] == 0 or not isinstance(file.rules[key], dict):
                del hits[key]  # a bound that holds, or a constant beside the rules
            elif why := trial.obstacle(file, key):
                moot[key] = why
        if hits:
            yield _Question(file, tuple(key for key in hits if key not in moot), hits, moot)


class _Run:
    def __init__(
        self, repo: Repository, trial: Trial, asked: Asked, about: Bundle, pairs: bool, progress: Progress | None
    ) -> None:
        self._repo, self._trial, self._asked, self._about = repo, trial, asked, about
        self._pairs, self._progress = pairs, progress
        self._base: Measured | None = None
        self.noise: tuple[tuple[str, str], ...] = ()
        self.runs = 0

    def answers(self, questions: Sequence[_Question]) -> Iterator[Ablation]:
        """Yield what came of every file."""
        steps = [self._steps(question.live) for question in questions]
        total = 2 + sum(map(len, steps)) if any(steps) else 0
        about = self._about
        for question, offs in zip(questions, steps, strict=True):
            answers = [self._answer(question, off, total) for off in offs]
            moot = [Answer((key,), SAYS_NOTHING, why, question.hits[key]) for key, why in question.moot.items()]
            inputs = self._trial.inputs or self._trial.bundled()
            yield Ablation(
                about.commit, about.data, about.data_id, question.file.path, tuple(self._trial.command), dict(inputs),
                (*answers, *moot), about.at, about.by, self._asked.texts,
            )  # fmt: skip

    def _steps(self, live: Sequence[str]) -> list[tuple[str, ...]]:
        single: list[tuple[str, ...]] = [(key,) for key in live]
        return single + (list(combinations(live, 2)) if self._pairs else [])

    def _answer(self, question: _Question, off: tuple[str, ...], total: int) -> Answer:
        file, hits = question.file, question.hits
        if self._base is None:
            self._base = self._measure(file, (), total)
            again = self._measure(file, (), total)  # what differs from run to run says nothing about rules
            self.noise = tuple(c for c in self._base.values if self._base.values[c] != again.values.get(c))
        found = self._measure(file, off, total)
        fires = None if any(hits[key] is None for key in off) else sum(hits[key] or 0 for key in off)
        moved = changes(self._base, found, self._repo.project().directions, self.noise)
        word, why = verdict(self._asked, moved, self._base, found, self._about, fires)
        return Answer(off, word, why, fires if len(off) == 1 else None, moved)

    def _measure(self, file: RuleFile, off: tuple[str, ...], total: int) -> Measured:
        if self._progress:
            self._progress(self.runs, total, f"without {' and '.join(off)}" if off else "with every rule")
        self.runs += 1
        return self._trial.measure(file, off)


_SILENT = "this table has no row on which it fires"
