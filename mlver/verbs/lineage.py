"""`lineage`: what a model, metric or table was made from, back to the first data."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.commit import Derivation, Environment, GitState, Used
from mlver.objects.ids import BlobId, CommitId, EnvironmentId
from mlver.objects.result import Result, jsonable
from mlver.repo.past import Past
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.snapshot import Artifact, Snapshot
from mlver.repo.steps import MODEL, Step, made_by


@frozen
class LineageNode:
    """One artifact by content. `commit` is where these bytes first appeared. `how` tells of the step that made it:

    `source` (`run`, `api`, `declared`, `assumed`), `command`, `seconds`, `environment` and so on; None for a source.
    """

    id: BlobId
    path: str
    kind: str
    commit: CommitId | None
    author: str | None = None
    time: datetime | None = None
    why: str | None = None
    how: Mapping[str, Value] | None = None


@frozen
class LineageEdge:
    """`output` was made from `input`; `source` says how we know."""

    output: BlobId
    input: BlobId
    source: str


@frozen
class LineageResult(Result):
    """The closure of inputs. `roots` are the artifacts asked about; every id of an edge is among `nodes`.

    `environment` and `git` are those of the step that made the first root, else of the commit. `cut` is
    true when `depth` left steps out.
    """

    schema: ClassVar[str] = "mlver.lineage/v1"
    target: str
    commit: CommitId
    roots: tuple[BlobId, ...]
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    environment: Mapping[str, Value] = field(default_factory=dict)
    git: Mapping[str, Value] | None = None
    cut: bool = False


def lineage(repo: Repository, target: str = "HEAD", *, depth: int | None = None) -> LineageResult:
    """Return where `REV`, `STAGE`, `PATH` or `PATH@REV` came from; `depth` limits the steps back.

    The roots of a commit are its models, then what else it serves (rules, config, code) and did not go
    into them. Models and metrics of which nobody recorded how they were made are assumed to come from
    all data, config, rules and code of the commit in which they first appeared.
    """
    if depth is not None and depth < 0:
        raise UsageError(f"a depth cannot be negative: {depth}")
    named = parse_target(repo, target)
    if named.unit is not None:
        raise UsageError(
            f"lineage is of whole artifacts, not of units: {target}", hint=f"mlver blame {shlex.quote(str(target))}"
        )
    commit = repo.resolve(named.rev or "HEAD")
    snapshot = repo.snapshot(commit)
    roots = [snapshot[named.path]] if named.path is not None else _made(repo, commit, snapshot)
    closure = _Closure(Past(repo), depth)
    closure.add(roots, commit)
    if named.path is None:
        beside = _beside(snapshot, closure.nodes)
        closure.add(beside, commit)
        roots += beside
    first = closure.steps.get(roots[0].id) if roots else None
    environment, git = _surroundings(repo, commit, first.derivation if first else None)
    return LineageResult(
        target=target,
        commit=commit,
        roots=tuple(dict.fromkeys(root.id for root in roots)),
        nodes=tuple(closure.nodes.values()),
        edges=tuple(closure.edges.values()),
        environment=environment,
        git=git,
        cut=closure.cut,
    )


def _made(repo: Repository, commit: CommitId, snapshot: Snapshot) -> list[Artifact]:
    """Return the models of a commit; without any, what is known to have been made."""
    models = [artifact for artifact in snapshot.artifacts.values() if artifact.kind == MODEL]
    return models or [snapshot[path] for path in repo.commit(commit).derivations if path in snapshot]


def _beside(snapshot: Snapshot, known: Mapping[BlobId, LineageNode]) -> list[Artifact]:
    """Return what a release of the commit holds and did not go into its models."""
    serves = snapshot.project.serves
    return [a for a in snapshot.artifacts.values() if a.id not in known and serves("*", a.path, a.kind)]


class _Closure:
    """Nodes and edges found so far, breadth first."""

    def __init__(self, past: Past, depth: int | None) -> None:
        self.nodes: dict[BlobId, LineageNode] = {}
        self.edges: dict[tuple[BlobId, BlobId], LineageEdge] = {}
        self.steps: dict[BlobId, Step] = {}
        self.cut = False
        self._past, self._depth = past, depth

    def add(self, roots: Iterable[Artifact], commit: CommitId) -> None:
        """Take in artifacts of a commit and all they were made from."""
        level: list[tuple[Used, CommitId | None]] = [(Used(a.path, a.id, a.kind), commit) for a in roots]
        distance = 0
        while level:
            following: list[tuple[Used, CommitId | None]] = []
            for one, where in level:
                following += self._visit(one, where, last=distance == self._depth)
            level, distance = following, distance + 1

    def _visit(self, one: Used, where: CommitId | None, *, last: bool) -> list[tuple[Used, CommitId | None]]:
        """Add one node; return its inputs and the commits they are found in."""
        if one.id in self.nodes:
            return []
        step = made_by(self._past, where, one.path, one.id, one.kind) if where else None
        self.nodes[one.id] = self._node(one, where, step)
        if step is None:
            return []
        self.steps[one.id] = step
        inputs = [used for used in step.inputs if used.id != one.id]
        if last:
            self.cut |= bool(inputs)
            return []
        for used in inputs:
            self.edges[one.id, used.id] = LineageEdge(one.id, used.id, step.source)
        return [(used, self._past.find(step.commit, used.path, used.id)) for used in inputs]

    def _node(self, one: Used, where: CommitId | None, step: Step | None) -> LineageNode:
        if where is None:  # read by a recorded step, and never committed
            return LineageNode(one.id, one.path, one.kind, None)
        first = step.commit if step else self._past.origin(where, one.path, one.id)
        commit = self._past.repo.commit(first)
        how = _how(self._past.repo, step) if step else None
        return LineageNode(one.id, one.path, one.kind, first, commit.author, commit.time, commit.why, how)


def _how(repo: Repository, step: Step) -> Mapping[str, Value]:
    """Return what is known of a step, without what is not."""
    known: dict[str, Value] = {"source": step.source}
    made = step.derivation
    if made is not None:
        parts = {
            "derivation": step.id,
            "name": made.name,
            "command": list(made.command),
            "parameters": dict(made.parameters),
            "started": made.started,
            "seconds": made.seconds,
            "exit": made.exit,
            "environment": made.environment,
            "python": _environment(repo, made.environment).get("python"),
            "git": made.git.commit if made.git else None,
        }
        known |= {name: jsonable(value) for name, value in parts.items() if value not in (None, [], {})}
        known["observed"] = made.observed
    return known


def _surroundings(
    repo: Repository, id: CommitId, made: Derivation | None
) -> tuple[Mapping[str, Value], Mapping[str, Value] | None]:
    commit = repo.commit(id)
    environment = _environment(repo, (made and made.environment) or commit.environment)
    return environment, _git((made and made.git) or commit.git)


def _environment(repo: Repository, id: EnvironmentId | None) -> Mapping[str, Value]:
    environment: dict[str, Value] = jsonable(repo.store.get_object(Environment, id)) if id else {}
    return environment


def _git(state: GitState | None) -> Mapping[str, Value] | None:
    plain: dict[str, Value] | None = jsonable(state)
    return plain
