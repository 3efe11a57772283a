"""A bundle put together from two commits: one kind from an older one, the rest from what is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.errors import Refused, UnknownRevision
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.objects.commit import Commit, Derivation
from mlver.objects.ids import CommitId, DerivationId
from mlver.repo.pairs import kinds_of
from mlver.repo.snapshot import Artifact, Snapshot
from mlver.repo.treebuild import put_tree
from mlver.storage.durable import show

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


@frozen
class Mix:
    """The artifacts of commit `base` with those of one kind taken from commit `other`.

    `same_as` is the commit that holds exactly these artifacts already, if one of the two does.
    """

    base: CommitId
    other: CommitId
    kind: str
    artifacts: dict[str, Artifact]
    same_as: CommitId | None
    says: str


def mix(repo: Repository, base: CommitId, other: CommitId, kind: str) -> Mix:
    """Return the artifacts of `base` with all of `kind` as `other` has them.

    Raises UsageError for a kind that does not exist, UnknownRevision when neither commit has any of it.
    """
    registry.get(kind)
    mine, theirs = repo.snapshot(base), repo.snapshot(other)
    taken = {path: a for path, a in theirs.artifacts.items() if a.kind == kind}
    if not taken and not any(a.kind == kind for a in mine.artifacts.values()):
        kinds = sorted({a.kind for a in mine.artifacts.values()})
        raise UnknownRevision(f"no artifact of kind {kind} in {base.short} or {other.short}", hint=f"there are {kinds}")
    kept = {path: a for path, a in mine.artifacts.items() if a.kind != kind}
    artifacts = dict(sorted({**kept, **taken}.items()))
    _check_shape(artifacts)
    same = next((id for id, snapshot in ((base, mine), (other, theirs)) if snapshot.artifacts == artifacts), None)
    return Mix(base, other, kind, artifacts, same, _says(mine, base, other, kind))


def _check_shape(artifacts: dict[str, Artifact]) -> None:
    for path in artifacts:
        above = path.rpartition("/")[0]
        while above:
            if above in artifacts:
                raise Refused(f"{show(above)} is a file in one commit and a folder in the other", hint="use --to")
            above = above.rpartition("/")[0]


def _says(mine: Snapshot, base: CommitId, other: CommitId, kind: str) -> str:
    rest = kinds_of(mine, leaving_out=kind) or "the rest"
    return f"{kind} of {other.short} with {rest} of {base.short}: never committed together"


def commit_mix(repo: Repository, mixture: Mix, message: str, reason: str | None) -> CommitId:
    """Store the mixture as a real commit whose parent is its base, on no branch, and return its id.

    An artifact keeps the derivation that made these very bytes. Environment and parameters are the base's.
    """
    base, other = repo.commit(mixture.base), repo.commit(mixture.other)
    known = {**base.derivations, **{p: id for p, id in other.derivations.items() if p not in base.derivations}}
    known |= {p: id for p, id in other.derivations.items() if p in mixture.artifacts and _is_theirs(mixture, p)}
    with repo.store.session() as session:
        commit = Commit(
            tree=put_tree(session, mixture.artifacts),
            parents=(mixture.base,),
            author=repo.actor,
            time=repo.now(),
            message=message,
            trailers={"why": (reason,)} if reason else {},
            environment=base.environment,
            parameters=base.parameters,
            derivations={path: id for path, id in sorted(known.items()) if _holds(repo, mixture, path, id)},
            facts=repo.view.facts,
        )
        id = session.put_object(commit)
        session.finish()
    return id


def _is_theirs(mixture: Mix, path: str) -> bool:
    return mixture.artifacts[path].kind == mixture.kind


def _holds(repo: Repository, mixture: Mix, path: str, id: DerivationId) -> bool:
    artifact = mixture.artifacts.get(path)
    made = repo.store.get_object(Derivation, id).outputs
    return artifact is not None and any(used.path == path and used.id == artifact.id for used in made)
