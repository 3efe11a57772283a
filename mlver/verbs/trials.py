"""Trying bundles: lay one out in a scratch folder, retrain it if asked to, run the user's command, judge the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import field

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.commit import Derivation
from mlver.objects.ids import BlobId, DerivationId
from mlver.repo.bisection import BAD, GOOD, SKIP
from mlver.repo.conditions import BROKEN, MET, Condition, Verdict, judge, overall, parse_condition
from mlver.repo.measuring import CommandFailed, Measured, measure
from mlver.repo.metric_facts import MetricValue
from mlver.repo.programs import end_all, ending_all
from mlver.repo.project import matches
from mlver.repo.rebuild import NotRebuilt, rebuild, steps
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.scratch import Scratch, scratch
from mlver.repo.snapshot import Artifact
from mlver.repo.subjects import get_number
from mlver.repo.worktree import open_regular

_SKIP_EXIT = 125  # of a script: this commit cannot be tried, as in git bisect run
_ASIDE = ("alerts", "metrics")  # kinds that no program is expected to read


@frozen
class Question:
    """What is asked of every bundle.

    `command` is run in it; with a `condition` its answer is read as metrics, without one its exit status
    decides (0 good, 125 cannot be tried, anything else bad). `rebuild` retrains what is stale by the recorded
    steps first. `fixed` are files laid over every bundle: the data to measure on, today's evaluation code.
    `jobs` bundles are tried side by side.
    """

    command: tuple[str, ...]
    condition: Condition | None = None
    rebuild: bool = False
    timeout: float | None = None
    environment: Mapping[str, str] | None = None
    fixed: Mapping[str, Artifact | bytes] = field(default_factory=dict)
    data: str | None = None
    jobs: int = 1

    @property
    def places(self) -> dict[str, str]:
        """What the places of the command stand for."""
        return {"data": self.data} if self.data else {}


def question(
    repo: Repository,
    command: Sequence[str],
    *,
    metric: str | None = None,
    data: str | None = None,
    beside: Sequence[str] = (),
    rebuild: bool = False,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
    jobs: int = 1,
) -> Question:
    """Return the question in words of the command line; UsageError naming what makes no sense."""
    if not command:
        raise UsageError("no command to run", hint="-- python evaluate.py {data}")
    condition = parse_condition(metric, "--metric") if metric else None
    if condition is not None and condition.needs_baseline:
        raise UsageError(f"a bundle alone has no baseline: {condition.text}", hint="compare with a number")
    fixed, path = fixed_files(repo, data, beside)
    return Question(tuple(command), condition, rebuild, timeout, environment, fixed, path, jobs)


@frozen
class Outcome:
    """What came of one bundle: `good`, `bad` or `skip`, the value that decided, why, and how long it took."""

    verdict: str
    value: float | None = None
    why: str = ""
    seconds: float = 0.0
    rebuilt: tuple[str, ...] = ()


@frozen
class Bundle:
    """Artifacts of one or more commits together, and the recorded steps that made them."""

    artifacts: Mapping[str, Artifact]
    steps: tuple[DerivationId, ...] = ()
    edits: Mapping[str, bytes] = field(default_factory=dict)


class Trials:
    """Answers one question for many bundles, each distinct one once."""

    def __init__(self, repo: Repository, question: Question) -> None:
        self._repo, self._question = repo, question
        self._known: dict[frozenset[tuple[str, object]], Outcome] = {}
        self.runs = 0

    def of(self, bundle: Bundle) -> Outcome:
        """Return what comes of a bundle. A command that fails says `skip` (or, without a condition, `bad`)."""
        return self.of_all([bundle])[0]

    def of_all(self, bundles: Sequence[Bundle]) -> list[Outcome]:
        """Return what comes of each bundle; as many as the question allows are tried side by side."""
        keys = [self._key(bundle) for bundle in bundles]
        new = {key: bundle for key, bundle in zip(keys, bundles, strict=True) if key not in self._known}
        todo = list(new.items())
        for start in range(0, len(todo), self._question.jobs):
            some = todo[start : start + self._question.jobs]
            found = self._side_by_side([bundle for _, bundle in some])
            self._known |= dict(zip((key for key, _ in some), found, strict=True))
        self.runs += len(todo)
        return [self._known[key] for key in keys]

    def _side_by_side(self, bundles: Sequence[Bundle]) -> list[Outcome]:
        """Lay the bundles out one by one, for the store is read by one thread, and run their programs together."""
        with ExitStack() as folders, ending_all():
            ready = [(folders.enter_context(self._laid(bundle)), self._todo(bundle), bundle) for bundle in bundles]
            if len(ready) == 1:
                return [self._try(*ready[0])]
            with ThreadPoolExecutor(len(ready)) as pool:
                waiting = [pool.submit(self._try, *one) for one in ready]
                try:
                    return [one.result() for one in waiting]
                except BaseException:
                    end_all()  # or the pool would wait for them
                    raise

    def _key(self, bundle: Bundle) -> frozenset[tuple[str, object]]:
        parts: dict[str, object] = {a.path: a.id for a in bundle.artifacts.values() if a.kind not in _ASIDE}
        return frozenset({**parts, **bundle.edits}.items())

    def _laid(self, bundle: Bundle) -> AbstractContextManager[Scratch]:
        return scratch(self._repo, bundle.artifacts, {**bundle.edits, **self._question.fixed})

    def _todo(self, bundle: Bundle) -> list[Derivation]:
        return steps(self._repo, bundle.steps) if self._question.rebuild else []

    def _try(self, folder: Scratch, todo: Sequence[Derivation], bundle: Bundle) -> Outcome:
        try:
            spent, remade = self._prepare(folder, todo, bundle)
            if self._question.condition is None:
                return self._by_exit(folder, spent, remade)
            measured = self._measure(folder)
        except (CommandFailed, NotRebuilt) as error:
            return Outcome(SKIP, why=error.message)
        verdict = deciding(judge(self._question.condition, self._values(measured)))
        return outcome_of(verdict, spent + measured.ran.seconds, remade)

    def _prepare(self, folder: Scratch, todo: Sequence[Derivation], bundle: Bundle) -> tuple[float, tuple[str, ...]]:
        asked = self._question
        if not asked.rebuild:
            return 0.0, ()
        if not todo:
            raise NotRebuilt("no step is recorded that could be run again", hint="mlver run -- COMMAND records one")
        held: dict[str, BlobId] = {path: a.id for path, a in bundle.artifacts.items() if path not in bundle.edits}
        made = rebuild(folder, todo, held, timeout=asked.timeout, environment=asked.environment)
        return sum(one.ran.seconds for one in made), tuple(one.name for one in made)

    def _measure(self, folder: Scratch) -> Measured:
        asked = self._question
        return measure(folder, asked.command, timeout=asked.timeout, environment=asked.environment, **asked.places)

    def _by_exit(self, folder: Scratch, spent: float, remade: tuple[str, ...]) -> Outcome:
        asked = self._question
        ran = folder.run(asked.command, timeout=asked.timeout, environment=asked.environment, **asked.places)
        untried = ran.timed_out or ran.exit == _SKIP_EXIT or ran.exit > 127
        verdict = SKIP if untried else BAD if ran.exit else GOOD
        return Outcome(verdict, ran.exit, ran.trouble or "", spent + ran.seconds, remade)

    def _values(self, measured: Measured) -> list[MetricValue]:
        """Return what the command said as values; they are nobody's, so HEAD and now stand in for whose."""
        whose, now = self._repo.view.head, self._repo.now()
        assert whose is not None
        return [
            MetricValue(whose, name, slice, get_number(value), None, None, n, now, now, by="")
            for (name, slice), (value, n) in measured.values.items()
        ]


def outcome_of(verdict: Verdict, seconds: float = 0.0, remade: tuple[str, ...] = ()) -> Outcome:
    """Return a verdict on a condition as an outcome: met is good, broken bad, unknown cannot be tried."""
    word = {MET: GOOD, BROKEN: BAD}.get(verdict.state, SKIP)
    return Outcome(word, verdict.value, verdict.why if word == SKIP else "", seconds, remade)


def deciding(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict that decides: one that is broken, else one that is unknown, else the first."""
    state = overall(verdicts)
    return next(verdict for verdict in verdicts if verdict.state == state)


def bundle_of(repo: Repository, rev: str) -> Bundle:
    """Return the bundle that a commit holds."""
    commit = repo.resolve(rev)
    return Bundle(repo.snapshot(commit).artifacts, tuple(repo.commit(commit).derivations.values()))


def fixed_files(
    repo: Repository, data: str | None, beside: Sequence[str]
) -> tuple[dict[str, Artifact | bytes], str | None]:
    """Return the files to lay over every bundle, and the path of the dataset among them.

    `data` and `beside` are paths of the work tree, or `PATH@REV`; a folder stands for all files below it.
    Raises UsageError naming one that is nowhere.
    """
    found: dict[str, Artifact | bytes] = {}
    path: str | None = None
    for text in [*([data] if data else []), *beside]:
        named, files = _named(repo, text)
        found |= files
        path = path or (named if data else None)
    return found, path


def _named(repo: Repository, text: str) -> tuple[str, dict[str, Artifact | bytes]]:
    target = parse_target(repo, text)
    if target.path is None or target.unit is not None:
        raise UsageError(f"not a file: {text}", hint="name a file of the work tree, or PATH@REV")
    if target.rev is None and repo.in_work_tree(target.path):
        with open_regular(repo.root, target.path) as stream:
            return target.path, {target.path: stream.read()}
    snapshot = repo.snapshot(repo.resolve(target.rev)) if target.rev else repo.work_snapshot()
    below = {name: a for name, a in snapshot.artifacts.items() if matches(name, target.path)}
    if not below:
        snapshot[target.path]  # raises, naming what comes close
    if target.rev is None:
        return target.path, {name: _bytes(repo, name) for name in below}
    return target.path, dict(below)


def _bytes(repo: Repository, path: str) -> bytes:
    with open_regular(repo.root, path) as stream:
        return stream.read()
