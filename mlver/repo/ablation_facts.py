"""Whether a rule can go: what happened to the metrics without it, in the fact log.

A fact of type `ablation` has the subject `{commit, path}`, the commit whose bundle was measured and the data it
was measured on, and the body

    data_id   content id of the data, 64 hex digits
    rules     path of the file of rules
    command   the command that measured, word by word
    asked     conditions and metrics the verdicts rest on; left out when every metric that knows better and worse
    inputs    path -> content id of every part of the bundle the answer rests on: what the command read, and all
              config, models, rules and code
    answers   a list of {off, verdict, why, hits, changes}: the rules that were off; `removable`,
              `not removable` or `says nothing`; on how many rows they fire (left out when that is not known);
              and the metrics that changed, each {metric, slice, with, without, verdict}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, CommitId, FactId
from mlver.objects.state import Fact
from mlver.repo.facts import fact_id
from mlver.repo.subjects import subject, subject_commit

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

ABLATION: Final = "ablation"
REMOVABLE: Final = "removable"
NOT_REMOVABLE: Final = "not removable"
SAYS_NOTHING: Final = "says nothing"


@frozen
class MetricChange:
    """One metric with and without a rule; `verdict` (without it) is `better`, `worse`, `changed` or `gone`."""

    metric: str
    slice: str
    with_: Plain
    without: Plain
    verdict: str


@frozen
class Answer:
    """What came of switching some rules `off` together. `hits` is None when nobody can tell where they fire."""

    off: tuple[str, ...]
    verdict: str
    why: str
    hits: int | None = None
    changes: tuple[MetricChange, ...] = ()


@frozen
class Ablation:
    """One question asked of one bundle on one version of some data, and its answers."""

    commit: CommitId
    data: str
    data_id: BlobId
    rules: str
    command: tuple[str, ...]
    inputs: Mapping[str, BlobId]
    answers: tuple[Answer, ...]
    at: datetime
    by: str
    asked: tuple[str, ...] = ()
    fact: FactId | None = field(default=None, compare=False)

    def answer(self, rule: str) -> Answer | None:
        """Return what came of switching one rule off alone."""
        return next((answer for answer in self.answers if answer.off == (rule,)), None)


def ablation_fact(ablation: Ablation, known: datetime) -> Fact:
    """Return an ablation as a fact."""
    body: dict[str, Plain] = {
        "data_id": ablation.data_id.hex(),
        "rules": ablation.rules,
        "command": list(ablation.command),
        "inputs": {path: id.hex() for path, id in sorted(ablation.inputs.items())},
        "answers": [_put(answer) for answer in ablation.answers],
    }
    if ablation.asked:
        body["asked"] = list(ablation.asked)
    return Fact(ABLATION, subject(commit=ablation.commit, path=ablation.data), body, ablation.at, known, ablation.by)


def _put(answer: Answer) -> dict[str, Plain]:
    changes = [
        {"metric": c.metric, "slice": c.slice, "with": c.with_, "without": c.without, "verdict": c.verdict}
        for c in answer.changes
    ]
    plain: dict[str, Plain] = {"off": list(answer.off), "verdict": answer.verdict, "why": answer.why}
    return plain | {"changes": changes} | ({} if answer.hits is None else {"hits": answer.hits})


def ablations(repo: Repository, as_of: datetime | None = None) -> Iterator[Ablation]:
    """Yield every ablation ever recorded, in the order of the log."""
    for fact in repo.facts.of(ABLATION, as_of=as_of):
        body, commit = fact.body, subject_commit(fact.subject)
        if commit is None:
            continue
        yield Ablation(
            commit=commit,
            data=fact.subject.get("path", ""),
            data_id=BlobId.parse(body["data_id"]),
            rules=str(body["rules"]),
            command=tuple(map(str, body.get("command", ()))),
            inputs={path: BlobId.parse(id) for path, id in body.get("inputs", {}).items()},
            answers=tuple(_get(plain) for plain in body.get("answers", ())),
            at=fact.at,
            by=fact.by,
            asked=tuple(map(str, body.get("asked", ()))),
            fact=fact_id(fact),
        )


def _get(plain: Mapping[str, Plain]) -> Answer:
    changes = tuple(
        MetricChange(c["metric"], c.get("slice", ""), c.get("with"), c.get("without"), c["verdict"])
        for c in plain.get("changes", ())
    )
    return Answer(tuple(plain["off"]), plain["verdict"], plain.get("why", ""), plain.get("hits"), changes)
