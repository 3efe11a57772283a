"""Commits people will want to see again: those that were live, are tagged, or that somebody wrote about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.repo.ledger import ledger_of
from mlver.repo.note_facts import MARK, NOTE
from mlver.repo.subjects import subject_commit
from mlver.repo.verdict_facts import VERDICT

if TYPE_CHECKING:
    from mlver.repo.graph import Reached
    from mlver.repo.repository import Repository

LIVE, TAGGED, NOTED = "was live", "tagged", "noted"


def milestones(repo: Repository) -> dict[CommitId, str]:
    """Return why each such commit is one: `was live` before `tagged` before `noted`."""
    noted = (subject_commit(fact.subject) for fact in repo.facts.of(NOTE, MARK, VERDICT))
    found = {commit: NOTED for commit in noted if commit is not None}
    found |= dict.fromkeys(repo.view.tags.values(), TAGGED)
    return found | {entry.live.commit: LIVE for entry in ledger_of(repo)}


def chosen(known: Mapping[CommitId, str], within: Reached, newest: Sequence[CommitId], room: int) -> list[CommitId]:
    """Return at most `room` commits of `within`, newest first: the `newest` ones, then milestones by rank."""
    kept = list(newest)
    for word in (LIVE, TAGGED, NOTED):
        of_word = within.among(id for id, why in known.items() if why == word)
        kept += [id for id in of_word if id not in kept][: room - len(kept)]
    return within.among(kept)
