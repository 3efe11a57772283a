"""Mutes in the fact log: types of alerts that nobody wants to hear of for a while.

A fact of type `mute` has the subject `{stage, scope}`, each left out when it does not matter, and the body

    type    the type of alert that is muted, and every type below it: `psi` mutes `psi.mean_texture`
    until   when it ends, RFC 3339
    reason  why

A fact of type `unmute` has the same subject, and the body `{type}` or `{type, reason}`. It ends every mute
with this type and subject that holds at that moment. `at` is when the mute begins or is ended.

An alert under a mute is recorded and counted like any other, and gates and rollbacks see it. Only lists of
what waits for somebody leave it out, and say how many they left out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.ids import FactId
from mlver.objects.state import EVERYONE, Fact
from mlver.objects.time import format_time, parse_time
from mlver.repo.alert_policy import covers_type
from mlver.repo.subjects import subject

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

MUTE, UNMUTE = "mute", "unmute"


@frozen
class Mute:
    """One mute, by whom and why. It holds from `since` to before `end`.

    `stage` None means every stage, `scope` empty everyone. `lifted_by` is who ended it before its time.
    """

    fact: FactId
    type: str
    stage: str | None
    scope: str
    since: datetime
    end: datetime
    by: str
    reason: str
    lifted_by: str | None = None

    def covers(self, type: str, stage: str | None, scope: str | None, at: datetime) -> bool:
        """Whether it holds for an alert of this type that fired at this moment."""
        return (
            self.since <= at < self.end
            and covers_type(self.type, type)
            and self.stage in (None, stage)
            and self.scope in (EVERYONE, scope or EVERYONE)
        )


def mute_fact(
    type: str, stage: str | None, scope: str, until: datetime, reason: str, *, at: datetime, known: datetime, by: str
) -> Fact:
    """Return a mute as a fact."""
    body = {"type": type, "until": format_time(until), "reason": reason}
    return Fact(MUTE, subject(stage=stage, scope=scope), body, at, known, by)


def unmute_fact(mute: Mute, reason: str | None, *, known: datetime, by: str) -> Fact:
    """Return the end of a mute as a fact."""
    body = {"type": mute.type} | ({"reason": reason} if reason else {})
    return Fact(UNMUTE, subject(stage=mute.stage, scope=mute.scope), body, known, known, by)


def mutes(repo: Repository, as_of: datetime | None = None) -> list[Mute]:
    """Return every mute there ever was, oldest first, as known now or at the moment `as_of`."""
    found: list[Mute] = []
    ends: list[Fact] = []
    for id, fact in repo.facts.items(MUTE, UNMUTE, as_of=as_of):
        if fact.type == UNMUTE:
            ends.append(fact)
        else:
            found.append(_mute(id, fact))
    for fact in sorted(ends, key=lambda fact: fact.at):
        found = [replace(one, end=fact.at, lifted_by=fact.by) if _ends(fact, one) else one for one in found]
    return sorted(found, key=lambda mute: (mute.since, mute.type))


def _mute(id: FactId, fact: Fact) -> Mute:
    body, about = fact.body, fact.subject
    return Mute(
        fact=id,
        type=str(body["type"]),
        stage=about.get("stage"),
        scope=about.get("scope", EVERYONE),
        since=fact.at,
        end=parse_time(str(body["until"])),
        by=fact.by,
        reason=str(body["reason"]),
    )


def _ends(fact: Fact, mute: Mute) -> bool:
    same = (fact.body["type"], fact.subject.get("stage"), fact.subject.get("scope", EVERYONE))
    return same == (mute.type, mute.stage, mute.scope) and mute.since <= fact.at < mute.end
