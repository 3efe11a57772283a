"""How often rules fired on a version of some data, in the fact log.

A fact of type `firing` has the subject `{path}`, the data, with `commit` when the data was taken from one,
and the body

    data_id   content id of the data, 64 hex digits
    n         how many rows it has
    rules     path of the file of rules
    rules_id  content id of that file
    fired     rule id -> {hits, unknown, keys}: rows it fired on, rows on which an empty cell left it open, and
              what names the first rows; for a bound or a check the rows that break it, and `broken`
    untested  rule id -> why it could not be tested; left out when all could
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.state import Fact
from mlver.repo.subjects import subject

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

FIRING = "firing"


@frozen
class Firing:
    """One file of rules tested on one version of some data: what came of every rule, by its id."""

    data: str
    data_id: BlobId
    rows: int
    rules: str
    rules_id: BlobId
    at: datetime
    by: str
    fired: Mapping[str, Mapping[str, Plain]] = field(default_factory=dict)
    untested: Mapping[str, str] = field(default_factory=dict)

    def hits(self, rule: str) -> int | None:
        """On how many rows a rule fired; None when it was not tested."""
        found = self.fired.get(rule)
        return int(found.get("hits", 0)) if found is not None else None


def firing_fact(firing: Firing, *, commit: CommitId | None, known: datetime) -> Fact:
    """Return a firing as a fact."""
    body: dict[str, Plain] = {
        "data_id": firing.data_id.hex(),
        "n": firing.rows,
        "rules": firing.rules,
        "rules_id": firing.rules_id.hex(),
        "fired": {rule: dict(found) for rule, found in firing.fired.items()},
    }
    if firing.untested:
        body["untested"] = dict(firing.untested)
    return Fact(FIRING, subject(commit=commit, path=firing.data), body, firing.at, known, firing.by)


def firings(repo: Repository, as_of: datetime | None = None) -> Iterator[Firing]:
    """Yield every firing ever recorded, in the order of the log."""
    for fact in repo.facts.of(FIRING, as_of=as_of):
        body = fact.body
        yield Firing(
            data=fact.subject.get("path", ""),
            data_id=BlobId.parse(body["data_id"]),
            rows=int(body.get("n", 0)),
            rules=str(body.get("rules", "")),
            rules_id=BlobId.parse(body["rules_id"]),
            at=fact.at,
            by=fact.by,
            fired=body.get("fired", {}),
            untested=body.get("untested", {}),
        )


@frozen
class FiredSoFar:
    """What is known of how often a rule fired.

    `hits` of `rows` in `tables` versions of data, each counted once, by its newest test; `last` is when it
    last fired, `tested` when it was last tested.
    """

    hits: int = 0
    rows: int = 0
    tables: int = 0
    last: datetime | None = None
    tested: datetime | None = None


def fired_so_far(found: Iterable[Firing]) -> dict[tuple[str, str], FiredSoFar]:
    """Return what firings say of each rule, by (path of its file, rule id)."""
    newest: dict[tuple[str, str], dict[BlobId, Firing]] = {}
    last: dict[tuple[str, str], datetime] = {}
    for firing in found:
        for rule in firing.fired:
            key = (firing.rules, rule)
            newest.setdefault(key, {})[firing.data_id] = firing
            if firing.hits(rule):
                last[key] = max(firing.at, last.get(key, firing.at))
    return {
        (path, rule): FiredSoFar(
            hits=sum(firing.hits(rule) or 0 for firing in by_data.values()),
            rows=sum(firing.rows for firing in by_data.values()),
            tables=len(by_data),
            last=last.get((path, rule)),
            tested=max(firing.at for firing in by_data.values()),
        )
        for (path, rule), by_data in newest.items()
    }
