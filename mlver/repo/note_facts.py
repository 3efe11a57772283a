"""Notes and marks in the fact log.

A fact of type `note` or `mark` has the subject `{commit}`, `{path}` or `{path, unit}`; one about an
artifact also names the `commit` when a revision was named. Its body is

    text    what somebody wrote; may be left out of a mark
    mark    `good` or `bad`, of a mark only
    ticket  left out when there is none
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.objects.state import Fact
from mlver.repo.subjects import subject_commit

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

NOTE, MARK = "note", "mark"
GOOD, BAD = "good", "bad"


def marks(repo: Repository) -> dict[CommitId, str]:
    """Return the newest mark of every commit that has one: `good` or `bad`."""
    newest: dict[CommitId, Fact] = {}
    for fact in repo.facts.of(MARK):
        commit = subject_commit(fact.subject)
        if commit is None or "path" in fact.subject:
            continue
        if commit not in newest or newest[commit].known <= fact.known:
            newest[commit] = fact
    return {commit: str(fact.body["mark"]) for commit, fact in newest.items()}
