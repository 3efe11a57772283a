"""What people say became of an experiment, in the fact log.

A fact of type `verdict` has the subject `{commit}` and the body

    verdict  `won`, `lost` or `abandoned`
    reason   left out when not said

Of several about one commit the one with the newest `known` counts, before anything that metrics say.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import CommitId
from mlver.objects.state import Fact
from mlver.repo.subjects import subject, subject_commit

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

VERDICT = "verdict"
WON, LOST, ABANDONED = "won", "lost", "abandoned"
VERDICTS = (WON, LOST, ABANDONED)


@frozen
class Verdict:
    """What somebody said of an experiment."""

    verdict: str
    reason: str | None
    by: str
    known: datetime


def verdict_fact(commit: CommitId, verdict: str, reason: str | None, *, known: datetime, by: str) -> Fact:
    """Return a verdict as a fact."""
    body: dict[str, Plain] = {"verdict": verdict} | ({"reason": reason} if reason else {})
    return Fact(VERDICT, subject(commit=commit), body, known, known, by)


def verdicts(repo: Repository) -> dict[CommitId, Verdict]:
    """Return the verdict that counts of every commit that has one."""
    found: dict[CommitId, Verdict] = {}
    for fact in repo.facts.of(VERDICT):
        commit, reason = subject_commit(fact.subject), fact.body.get("reason")
        if commit is not None and (commit not in found or found[commit].known <= fact.known):
            said = str(fact.body.get("verdict"))
            found[commit] = Verdict(said, str(reason) if reason else None, fact.by, fact.known)
    return found
