"""Where two histories part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.repo.history import ancestors

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


def merge_bases(repo: Repository, a: CommitId, b: CommitId) -> tuple[CommitId, ...]:
    """Return the common ancestors that no other common ancestor has behind it, newest first; none without any.

    Criss-cross histories have several. The first is the one to merge with: the newest by its time, of equally
    old ones the one with the smallest id. So both directions, and every machine, take the same.
    """
    common = set(ancestors(repo, [a])) & set(ancestors(repo, [b]))
    behind = {parent for id in common for parent in repo.commit(id).parents}
    return tuple(sorted(common - behind, key=lambda id: (-repo.commit(id).time.timestamp(), id)))
