"""The commits at which a model changed, was live or was given a name: what people mean by "our models"."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.repo.history import all_heads, walk
from mlver.repo.ledger import ledger_of
from mlver.repo.snapshot import changed_paths

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

MODEL_KIND = "model"


def brought_models(repo: Repository, commit: CommitId) -> tuple[str, ...]:
    """Return the paths of models that a commit added or changed."""
    data = repo.commit(commit)
    parent = repo.commit(data.parents[0]).tree if data.parents else None
    changed = changed_paths(repo.store, parent, data.tree)
    return tuple(path for path, _, entry in changed if entry is not None and entry.kind == MODEL_KIND)


def model_commits(repo: Repository) -> list[CommitId]:
    """Return the commits that brought a model, were ever live, or are tagged, newest first."""
    named = {*repo.view.tags.values(), *(entry.live.commit for entry in ledger_of(repo))}
    everything = walk(repo, dict.fromkeys([*all_heads(repo), *named]))
    return [id for id, _ in everything if id in named or brought_models(repo, id)]


def model_since(repo: Repository, commit: CommitId) -> datetime:
    """Return when the newest model of a commit came about: the time of the commit that brought it.

    A commit without models counts from its own time.
    """
    if not any(artifact.kind == MODEL_KIND for artifact in repo.snapshot(commit).artifacts.values()):
        return repo.commit(commit).time
    for id, data in walk(repo, [commit]):
        if brought_models(repo, id):
            return data.time
    return repo.commit(commit).time
