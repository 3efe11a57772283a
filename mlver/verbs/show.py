"""`show`: one commit with everything known about it, or one unit of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from mlver.errors import NegativeAnswer
from mlver.frozen import frozen
from mlver.kinds.base import Unreadable, Value, short_json
from mlver.objects.commit import Environment, GitState
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.objects.state import Fact
from mlver.objects.tree import TREE
from mlver.repo.ledger import ledger_of
from mlver.repo.redaction_facts import notices
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.rule_words import facts_about, rule_words
from mlver.repo.signature_facts import SIGNATURE
from mlver.repo.signing import Judge, Seal
from mlver.repo.snapshot import Artifact
from mlver.repo.unit_reader import value_of
from mlver.verbs.cat import locate_artifact
from mlver.verbs.common import CommitInfo, commit_info, refs_by_commit
from mlver.verbs.diff import DiffResult, Side, diff, diff_snapshots


@frozen
class ArtifactInfo:
    """One artifact of a commit; `summary` holds the kind's derived facts when asked for."""

    path: str
    kind: str
    id: BlobId
    size: int
    summary: Mapping[str, Value] | None = None


@frozen
class FactInfo:
    """One fact about the commit: a metric, an alert, a note, a mark; when it happened and became known."""

    type: str
    text: str
    by: str
    at: datetime
    known: datetime
    body: Mapping[str, Value]


@frozen
class Served:
    """One interval in which a stage served the commit; `until` None means still."""

    stage: str
    scope: str
    since: datetime
    until: datetime | None
    actor: str
    reason: str
    action: str
    evidence: Value = None


@frozen
class ShowResult(Result):
    """A commit, its context, what it changed, and what was learned about it since; `signed` says what its signature is
    worth, None without one, and `redacted` what of it was removed on purpose."""

    schema: ClassVar[str] = "mlver.show/v1"
    commit: CommitInfo
    artifacts: tuple[ArtifactInfo, ...]
    environment: Environment | None
    git: GitState | None
    parameters: Mapping[str, Value]
    diff: DiffResult | None
    facts: tuple[FactInfo, ...]
    served: tuple[Served, ...]
    signed: Seal | None = None
    redacted: tuple[str, ...] = ()


@frozen
class ShowUnitResult(Result):
    """One artifact (`unit` None: its summary) or one unit of it at one revision.

    `id` is the artifact's blob, what `b3sum` prints for the file (a folder has none); `size` its bytes. `facts`
    are what is known of these very bytes: which rules fired on them, what came of leaving a rule out.
    """

    schema: ClassVar[str] = "mlver.show-unit/v1"
    path: str
    unit: str | None
    kind: str
    commit: CommitInfo | None
    value: Value
    text: str
    id: BlobId | None = None
    size: int | None = None
    facts: tuple[FactInfo, ...] = ()
    redacted: tuple[str, ...] = ()


def show(repo: Repository, target: str = "HEAD") -> ShowResult | ShowUnitResult:
    """Return what is known of a commit (`REV`), an artifact (`REV:PATH`, `PATH@REV`) or a unit (`PATH#UNIT`)."""
    parsed = parse_target(repo, target)
    if parsed.path is not None:
        found = _with_facts(repo, _show_part(repo, target))
        return replace(found, redacted=notices(repo, [(found.path, found.id)] if found.id else []))
    id = repo.resolve(parsed.rev or "HEAD")
    commit, snapshot = repo.commit(id), repo.snapshot(id)
    return ShowResult(
        commit=commit_info(id, commit, refs_by_commit(repo)),
        artifacts=tuple(ArtifactInfo(a.path, a.kind, a.id, a.size) for a in snapshot.artifacts.values()),
        environment=repo.store.get_object(Environment, commit.environment) if commit.environment else None,
        git=commit.git,
        parameters=commit.parameters,
        diff=_own_diff(repo, id),
        facts=tuple(_fact_info(fact) for fact in repo.facts.of(commit=str(id)) if fact.type != SIGNATURE),
        served=tuple(
            Served(e.stage, e.scope, e.since, e.until, e.live.actor, e.live.reason, e.live.action, e.live.evidence)
            for e in ledger_of(repo)
            if e.live.commit == id
        ),
        signed=Judge(repo).known(id),
        redacted=notices(repo, [(a.path, a.id) for a in snapshot.artifacts.values()]),
    )


def _own_diff(repo: Repository, id: CommitId) -> DiffResult:
    """What the commit changed against its first parent; a first commit against nothing, by file."""
    commit = repo.commit(id)
    if commit.parents:
        repo.commit(commit.parents[0])  # raises when it is damaged
        return diff(repo, str(commit.parents[0]), str(id))
    from mlver.repo.snapshot import Snapshot

    nothing = Snapshot({}, lambda a: repo.store.open_blob(a.id))
    artifacts = diff_snapshots(repo, nothing, repo.snapshot(id), units=False)
    return DiffResult(Side("nothing", None), Side("first commit", id), artifacts)


def _fact_info(fact: Fact) -> FactInfo:
    subject = " ".join(f"{k}={v}" for k, v in fact.subject.items() if k != "commit")
    if (said := rule_words(fact)) is not None:
        return FactInfo(fact.type, said, fact.by, fact.at, fact.known, fact.body)
    text = str(fact.body.get("text") or short_json(dict(fact.body)))
    return FactInfo(fact.type, f"{subject} {text}".strip(), fact.by, fact.at, fact.known, fact.body)


def _with_facts(repo: Repository, result: ShowUnitResult) -> ShowUnitResult:
    if result.id is None or repo.view.facts is None:
        return result
    facts = facts_about(repo, result.path, result.id, result.unit)
    return replace(result, facts=tuple(_fact_info(fact) for fact in facts))


def _show_part(repo: Repository, target: str) -> ShowUnitResult:
    snapshot, path, unit = locate_artifact(repo, target)
    kind = snapshot.kind(path)
    info = None
    if snapshot.commit is not None:
        info = commit_info(snapshot.commit, repo.commit(snapshot.commit), refs_by_commit(repo))
    try:
        units = snapshot.units(path, late=True)
    except Unreadable as reason:
        if unit is not None:
            raise NegativeAnswer(
                f"{path} is not readable as {kind.name}: {reason}", hint=f"mlver cat {shlex.quote(path)}"
            ) from None
        artifact = snapshot.find(path)
        value: dict[str, Value] = {"size": artifact.size, "id": str(artifact.id), "unreadable": str(reason)}
        text = f"not readable as {kind.name}: {reason}"
        value |= dict(reason.known)
        return ShowUnitResult(path, None, kind.name, info, value, text, id=_blob(artifact), size=artifact.size)
    if unit is None:
        summary = dict(kind.summary(units))
        of = snapshot.find(path)
        return ShowUnitResult(path, None, kind.name, info, summary, short_json(summary), id=_blob(of), size=of.size)
    key, value = value_of(units, unit, path)
    text = kind.text(key, value) if units.get(key) is value else short_json(value)
    of = snapshot.find(path)
    return ShowUnitResult(path, unit, kind.name, info, value, text, id=_blob(of), size=of.size)


def _blob(artifact: Artifact) -> BlobId | None:
    return artifact.id if artifact.type != TREE else None
