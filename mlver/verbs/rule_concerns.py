"""What `status` says of rules: those past their date, and answers about them that no longer hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mlver.errors import MlverError, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import MISSING, Unreadable
from mlver.objects.time import parse_time
from mlver.repo.listing import of_kind
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot

if TYPE_CHECKING:
    from mlver.repo.ablation_facts import Ablation

EXPIRED: Final = "expired"
STALE: Final = "stale"
REMOVED: Final = "removed here"
_LARGEST = 1 << 20  # bytes of a file of rules that every `status` reads


@frozen
class RuleConcern:
    """One rule that needs somebody: it is `expired`, its ablation is `stale`, or it is `removed here`; and why."""

    id: str
    path: str
    state: str
    why: str


def rule_concerns(repo: Repository, work: Snapshot) -> tuple[RuleConcern, ...]:
    """Return what needs somebody about the rules of the work tree."""
    return (*_expired(repo, work), *_ablated(repo, work))


def _expired(repo: Repository, work: Snapshot) -> Iterator[RuleConcern]:
    small = [artifact.path for artifact in of_kind(work.artifacts, "rules") if artifact.size <= _LARGEST]
    if not small:
        return
    from mlver.kinds.rule_about import about
    from mlver.repo.rulebook import rule_files

    for path in small:
        try:
            rules = next(rule_files(work, path)).rules
        except MlverError:  # `rules list` says why it can't be read
            continue
        for key, rule in rules.items():
            says = about(rule)
            if says.expires is None:
                continue
            try:
                due = parse_time(says.expires) <= repo.now()
            except UsageError:
                continue
            if due:
                owner = f", {says.owner}" if says.owner else ""
                yield RuleConcern(key, path, EXPIRED, f"since {says.expires}{owner}: {says.why or 'no reason'}")


def _ablated(repo: Repository, work: Snapshot) -> Iterator[RuleConcern]:
    """Yield rules here or in HEAD of which no answer holds any more, or which the work tree removes.

    The newest answer is told; of those from before, one that holds here comes before it.
    """
    if not repo.view.facts:
        return
    from mlver.repo.ablation_facts import ablations
    from mlver.repo.outdated import Outdated

    given: dict[tuple[str, str], list[Ablation]] = {}
    for one in ablations(repo):
        for answer in one.answers:
            told = given.setdefault((one.rules, answer.off[0]), []) if len(answer.off) == 1 else []
            if told and answer.hits != 0 and (first := told[0].answer(answer.off[0])) and first.hits == 0:
                told.clear()  # of data on which it never fired
            if not told or answer.hits != 0:
                told.append(one)
    state = Outdated(repo, work)
    for (path, key), answers in given.items():
        here, committed = _holds(work, path, key), _holds(repo.head_snapshot(), path, key)
        if not (here or committed):
            continue
        resting = [{name: id for name, id in one.inputs.items() if here or name != path} for one in answers]
        last = next((number for number in reversed(range(len(answers))) if state.holds(resting[number])), -1)
        one = answers[last]
        found = one.answer(key)
        if found is None:
            continue
        known = f"without it {found.verdict} ({one.at:%Y-%m-%d}, {one.data}: {found.why})"
        moved = state.moved(resting[last])
        if moved:
            by = f" by {moved[0].author}" if moved[0].author else ""
            known += f"; stale: {moved[0].said}{by}" + (f", {len(moved) - 1} more" if len(moved) > 1 else "")
        if moved or not here:
            yield RuleConcern(key, path, STALE if here else REMOVED, known)


def _holds(snapshot: Snapshot, path: str, key: str) -> bool:
    try:
        return path in snapshot and snapshot.units(path).get(key) is not MISSING
    except Unreadable:
        return True  # in the middle of an edit
