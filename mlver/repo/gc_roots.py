"""The roots of gc: everything that is named, or was live, or that somebody wrote something about.

docs/design/gc.md says why these. A root is an object and the name that keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.directions import direction
from mlver.objects.encoding import dump_canonical, to_plain
from mlver.objects.ids import BlobId, CommitId, DerivationId, FactBatchId, ObjectId, OperationId
from mlver.objects.state import Fact, Operation, View
from mlver.objects.time import parse_span
from mlver.repo.facts import batches
from mlver.repo.metric_facts import METRIC, fact_value, newest
from mlver.repo.refs import remote_branches
from mlver.repo.releases import slot_name
from mlver.repo.signature_facts import SIGNATURE
from mlver.repo.whole import named
from mlver.store.object_store import ObjectStore

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_T = TypeVar("_T")
Root = tuple[ObjectId, str]
Log = Sequence[tuple[OperationId, Operation]]
ALWAYS = ("promoted", "tagged", "noted")  # kept whatever is asked
_ID = re.compile(rb'"([0-9a-f]{64})"')


@frozen
class Keep:
    """What is kept beyond what has a name: commits younger than `days`, and the `best` by a metric."""

    days: timedelta | None = None
    best: tuple[tuple[int, str], ...] = ()
    measured: bool = False

    def joined(self, other: Keep) -> Keep:
        """Return what keeps all that either keeps."""
        days = max((keep.days for keep in (self, other) if keep.days is not None), default=None)
        return Keep(days, (*self.best, *other.best), self.measured or other.measured)


def parse_keep(text: str) -> Keep:
    """Read a policy such as `best:5:recall,days:30`; UsageError when it is none."""
    keep = Keep()
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, rest = word.partition(":")
        if word in ALWAYS:
            continue
        if word == "measured":
            one = Keep(measured=True)
        elif name == "days" and rest.isdecimal() and len(rest) < 6:
            one = Keep(timedelta(days=int(rest)))
        elif name == "best" and (match := re.fullmatch(r"([1-9]\d{0,5}):(.+)", rest)):
            one = Keep(best=((int(match[1]), match[2]),))
        else:
            raise UsageError(f"not a policy: {word[:80]!r}", hint="measured, days:30 or best:5:recall; see gc --help")
        keep = keep.joined(one)
    return keep


def parse_grace(text: str) -> timedelta:
    """Return a length of time, which may be 0; UsageError when it is none."""
    return timedelta() if re.fullmatch(r"\s*0+\s*[smhdw]?\s*", text) else parse_span(text)


GC_SETTINGS: Mapping[str, Callable[[str], object]] = {
    "gc.keep": parse_keep,
    "gc.retention": parse_grace,
    "gc.trash": parse_grace,
}  # how the value of each is read


def gc_setting(name: str, text: str, read: Callable[[str], _T]) -> _T:
    """Return what the value of a setting of gc means; UsageError, which names the setting, when `read` cannot tell."""
    try:
        return read(text)
    except UsageError as error:
        hints = [f"mlver config {name} VALUE", *([error.hint] if error.hint else [])]
        raise UsageError(f"{name}: {error.message}", hint="; ".join(hints)) from None


def view_roots(view: View) -> list[Root]:
    """Return what a view names, the clearest names first."""
    found: list[Root] = [(id, f"branch {name}") for name, id in view.branches.items()]
    found += [(id, f"tag {name}") for name, id in view.tags.items()]
    for stage, scopes in view.stages.items():
        found += [(live.commit, f"live on {slot_name(stage, scope)}") for scope, live in scopes.items()]
    found += [(id, f"remote branch {name}") for name, id in remote_branches(view).items()]
    found += [(id, "the run recorded for " + path) for path, id in view.pending.items()]
    rest = "the open merge" if view.merging is not None else "HEAD"
    return [*found, *((id, "the fact log" if id == view.facts else rest) for id in named(view))]


def ledger_roots(log: Log) -> Iterator[Root]:
    """Yield everything that was ever live here or, as far as is known, elsewhere."""
    for _, operation in log:
        for stage, scopes in operation.view.stages.items():
            for scope, live in scopes.items():
                yield live.commit, f"was live on {slot_name(stage, scope)} from {live.since:%Y-%m-%d %H:%M}"
        yield from joined_roots(operation)


def joined_roots(operation: Operation) -> Iterator[Root]:
    """Yield what became live elsewhere, as an operation learned from another repository."""
    for move in operation.joined:
        if move.live is not None:
            where = slot_name(move.stage, move.scope)
            yield move.live.commit, f"was live on {where} from {move.time:%Y-%m-%d %H:%M}"


def operation_roots(log: Log, since: datetime) -> Iterator[Root]:
    """Yield what the views name that stood after `since`, but for the newest; `log` is newest first.

    An operation is never taken to be older than one before it, whatever the clock said.
    """
    replaced: datetime | None = None  # when the operation at hand was followed by the next
    for (_, operation), time in zip(log, effective_times(log), strict=True):
        if replaced is not None and replaced > since:
            for id, name in view_roots(operation.view):
                yield id, f"{name}, until operation {operation.number + 1} on {replaced:%Y-%m-%d}"
        replaced = time


def effective_times(log: Log) -> list[datetime]:
    """Return when each operation was made, in the order of `log`: not before any that came before it."""
    found: list[datetime] = []
    for _, operation in reversed(log):
        found.append(max(operation.time, found[-1]) if found else operation.time)
    return found[::-1]


def fact_roots(store: ObjectStore, log: FactBatchId | None, about: set[CommitId] | None = None) -> Iterator[Root]:
    """Yield what the notes, marks, alerts and the like of a fact log name; metric values and signatures keep nothing.

    With `about`, yield instead what the metric values of these commits name: the data they were measured on.
    """
    for batch in batches(store, log):
        for fact in batch.facts:
            commit = fact.subject.get("commit")
            if fact.type not in (METRIC, SIGNATURE) and about is None:
                yield from _ids(fact, f"a fact about it ({fact.type} of {fact.known:%Y-%m-%d})")
            elif fact.type == METRIC and about is not None and commit and CommitId.parse(commit) in about:
                yield from _ids(fact, f"metric {fact.body.get('name')} was measured on it")


def _ids(fact: Fact, name: str) -> Iterator[Root]:
    """Yield every id that stands in a fact, as each thing it may be the id of."""
    for text in ids_in(fact):
        for type_ in (CommitId, BlobId, DerivationId):
            yield type_.parse(text), name


def ids_in(fact: Fact) -> Iterator[str]:
    """Yield every id that stands in a fact."""
    plain = to_plain(fact)
    for match in _ID.finditer(dump_canonical({"subject": plain["subject"], "body": plain["body"]})):
        yield match[1].decode()


def _check_names(keep: Keep, known: set[str]) -> None:
    """Raise UsageError for a metric that no commit has: a misspelt name must not drop what was to be kept."""
    for _, name in keep.best:
        if name not in known:
            close = get_close_matches(name, known, n=3) or sorted(known)[:8]
            hint = f"there are {', '.join(close)}" if close else "mlver metrics add records values"
            raise UsageError(f"--keep: no commit has a recorded value of {name[:80]!r}", hint=hint)


def policy_roots(repo: Repository, keep: Keep, commits: Sequence[CommitId], now: datetime) -> Iterator[Root]:
    """Yield the commits among `commits`, which nothing keeps so far, that a policy keeps."""
    if keep.days is not None:
        for id in commits:
            if repo.commit(id).time >= now - keep.days:
                yield id, f"younger than {keep.days.days} days"
    if not (keep.best or keep.measured):
        return
    wanted = set(commits)
    values = [
        fact_value(CommitId.parse(fact.subject["commit"]), id, fact)
        for id, fact in repo.facts.items(METRIC)
        if "commit" in fact.subject
    ]
    if wanted:
        _check_names(keep, {value.name for value in values if not value.slice})
    values = [value for value in values if value.commit in wanted]
    if keep.measured:
        yield from ((value.commit, f"{value.name} was measured of it") for value in values)
    for count, name in keep.best:
        scores: dict[CommitId, float] = {}
        for commit in {value.commit for value in values}:
            for value in newest(v for v in values if v.commit == commit and v.name == name and not v.slice):
                if isinstance(value.value, (int, float)) and not value.estimate and value.value == value.value:
                    scores[commit] = float(value.value)
        lower = direction(name, repo.project().directions) == "lower"
        for commit in sorted(scores, key=lambda id: (scores[id] if lower else -scores[id], id))[:count]:
            yield commit, f"among the best {count} by {name}: {scores[commit]:g}"
