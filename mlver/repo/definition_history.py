"""When a metric was defined, and defined otherwise: read from every mlver.toml that was ever committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.errors import MlverError
from mlver.frozen import frozen
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.history import all_heads, walk
from mlver.repo.metric_policy import DefinitionId, MetricPolicy, metric_policy
from mlver.repo.project import PROJECT_FILE, parse_project
from mlver.repo.snapshot import find_in_tree

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


@frozen
class Definition:
    """What a metric meant on a slice, and the first commit that said so (None: not committed yet)."""

    id: DefinitionId
    meaning: dict[str, str]
    commit: CommitId | None


def definitions(repo: Repository, name: str, slice: str) -> dict[DefinitionId, Definition]:
    """Return every meaning that a metric ever had on a slice, oldest first, that of the work tree last."""
    found: dict[DefinitionId, Definition] = {}
    seen: set[BlobId] = set()
    for id, commit in reversed(list(walk(repo, all_heads(repo)))):
        file = find_in_tree(repo.store, commit.tree, PROJECT_FILE)
        if file is not None and file.id not in seen:
            seen.add(file.id)
            _keep(found, _read(repo, file.id), name, slice, id)
    try:
        _keep(found, metric_policy(repo.project()), name, slice, None)
    except MlverError:  # what is being edited may be malformed; whoever records a value is told so
        return found
    return found


def _keep(
    found: dict[DefinitionId, Definition], policy: MetricPolicy, name: str, slice: str, commit: CommitId | None
) -> None:
    id = policy.definition(name, slice)
    if id is not None:
        found.setdefault(id, Definition(id, policy.meaning(name, slice), commit))


def _read(repo: Repository, blob: BlobId) -> MetricPolicy:
    """Return the policy of one version of the file; an empty one when it was malformed then."""
    try:
        with repo.store.open_blob(blob) as stream:
            return metric_policy(parse_project(stream.read()))
    except MlverError:
        return MetricPolicy()
