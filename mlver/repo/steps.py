"""How artifacts were made: recorded steps, and what has to be assumed where nothing was recorded."""

from __future__ import annotations

from mlver.frozen import frozen
from mlver.objects.commit import Derivation, Used
from mlver.objects.ids import BlobId, CommitId, DerivationId
from mlver.repo.history import ancestors
from mlver.repo.past import Past
from mlver.repo.recorded import read_derivation
from mlver.repo.recording import assumed_inputs

ASSUMED = "assumed"
MODEL, METRICS = "model", "metrics"
MADE_KINDS = (MODEL, METRICS)  # nobody writes these by hand


@frozen
class Step:
    """One way in which an artifact came to be. `commit` is where its bytes first appeared.

    `source` is that of the derivation, or `assumed`: then `inputs` are all data, config, rules and code
    of that commit (for metrics its models too), and `derivation` is None.
    """

    source: str
    inputs: tuple[Used, ...]
    commit: CommitId
    id: DerivationId | None = None
    derivation: Derivation | None = None


def made_by(past: Past, commit: CommitId, path: str, blob: BlobId, kind: str) -> Step | None:
    """Return how the bytes that `commit` holds at `path` were made; None for what nobody made, as far as is known."""
    first = past.origin(commit, path, blob)
    for where in dict.fromkeys((commit, first)):
        found = recorded(past, where, path, blob)
        if found is not None:
            id, derivation = found
            return Step(derivation.source, derivation.inputs, first, id, derivation)
    return assumed(past, first, path, kind) if must_be_assumed(past, first, path, kind) else None


def must_be_assumed(past: Past, commit: CommitId, path: str, kind: str) -> bool:
    """Whether an artifact that `commit` brought without a derivation was made all the same.

    So are models and metrics, unless steps are recorded in this project: then one that never had a step
    was written by hand or came from elsewhere, like a fallback rule beside trained models.
    """
    if kind not in MADE_KINDS:
        return False
    repo = past.repo
    if not repo.commit(commit).derivations:
        return True
    return any(path in repo.commit(id).derivations for id in ancestors(repo, [commit]))


def recorded(past: Past, commit: CommitId, path: str, blob: BlobId) -> tuple[DerivationId, Derivation] | None:
    """Return the derivation that a commit carries for `path`, if it made these very bytes."""
    id = past.repo.commit(commit).derivations.get(path)
    if id is None:
        return None
    derivation = read_derivation(past.repo.store, id)
    return (id, derivation) if any(one.id == blob for one in derivation.outputs) else None


def assumed(past: Past, commit: CommitId, path: str, kind: str) -> Step:
    """Return the step assumed of a model or metrics file that first appeared in `commit`."""
    artifacts = past.repo.snapshot(commit).artifacts
    kinds = {name: artifact.kind for name, artifact in artifacts.items()}
    chosen = assumed_inputs(kinds, [path])
    if kind == METRICS:
        chosen += [name for name in kinds if kinds[name] == MODEL]
    return Step(ASSUMED, tuple(Used(name, artifacts[name].id, kinds[name]) for name in chosen), commit)
