"""Refused promotions in the fact log.

A fact of type `refusal` has the subject `{commit, stage, scope}` and the body

    action  `promote`
    rows    what the stage asked for and did not hold: maps with `requirement`, `state` and `why`
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mlver.objects.encoding import Plain
from mlver.objects.ids import CommitId
from mlver.objects.state import Fact
from mlver.repo.subjects import subject

REFUSAL = "refusal"


def refusal_fact(commit: CommitId, stage: str, scope: str, rows: Sequence[Plain], *, at: datetime, by: str) -> Fact:
    """Return the fact that somebody wanted to promote a commit and was refused."""
    body: dict[str, Plain] = {"action": "promote", "rows": list(rows)}
    return Fact(REFUSAL, subject(commit=commit, stage=stage, scope=scope), body, at, at, by)
