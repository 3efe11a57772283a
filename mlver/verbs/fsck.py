"""`fsck`: read every byte, name what is damaged, and say what that hurts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

from mlver.errors import Damaged
from mlver.frozen import frozen
from mlver.objects.ids import CommitId, ObjectId
from mlver.objects.result import Result
from mlver.repo.erasing import unfinished
from mlver.repo.harm import MISSING, Harm, HurtArtifact
from mlver.repo.head import read_slots
from mlver.repo.log_check import LogCheck, check_log, head_problems
from mlver.repo.releases import damaged_releases, slot_name
from mlver.repo.repository import Repository
from mlver.store.object_store import StoreReport
from mlver.store.pack import list_packs, stored_bytes
from mlver.verbs.common import Progress

_LOOKS = 8  # at a repository that others keep changing


@frozen
class Problem:
    """One damaged, missing or foreign thing.

    `what` names it (`pack 3f…`, `blob 9a…`, `head.1`), `detail` says what is wrong, `hurts` lists the
    commits and artifacts that need it (`v2 (3f2a…): models/triage.joblib`), `repairable` that nothing is lost.
    """

    what: str
    detail: str
    hurts: tuple[str, ...] = ()
    repairable: bool = False


@frozen
class LostObject:
    """An object of which no sound copy is left: what it is (`blob`, `tree`, …; a chunk is a blob), and its id."""

    type: str
    id: ObjectId


@frozen
class FsckResult(Result):
    """`ok` is true when no byte is wrong; `objects` were checked, `bytes` read.

    `lost` are the objects that no sound copy is left of, `hurt` the commits that cannot be read whole for it,
    `artifacts` what of them, `stages` those that have one of these commits live.
    """

    schema: ClassVar[str] = "mlver.fsck/v1"
    ok: bool
    objects: int
    commits: int
    packs: int
    bytes: int
    problems: tuple[Problem, ...]
    lost: tuple[LostObject, ...] = ()
    hurt: tuple[CommitId, ...] = ()
    artifacts: tuple[HurtArtifact, ...] = ()
    stages: tuple[str, ...] = ()


@frozen
class Examination:
    """Everything `fsck` found out, for those who mend it."""

    store: StoreReport
    log: LogCheck
    harm: Harm
    commits: int

    @property
    def lost(self) -> list[ObjectId]:
        """Objects that are not sound anywhere: those somebody needs first."""
        return [*dict.fromkeys([*self.harm.by_object, *sorted(self.store.lost)])]


def fsck(repo: Repository, *, progress: Progress | None = None) -> FsckResult:
    """Check packs, objects, operations, head slots and releases. Changes nothing.

    Others may change things meanwhile. What is told is what was found while nothing moved, or found twice.
    """
    before: set[tuple[str, str]] | None = None
    for _ in range(_LOOKS):
        packs = [*list_packs(repo.storage)]
        result = fsck_result(repo, examine(repo, progress))
        found = {(problem.what, problem.detail) for problem in result.problems}
        if not found or found == before or _still(repo, packs):
            break
        before = found
        with suppress(Damaged):  # of a head that was damaged all along
            repo.refresh()
        repo.store.renew()
        repo.store.index.refresh()
    return result


def _still(repo: Repository, packs: list[str]) -> bool:
    """Whether nobody has done anything since the head was read and the packs were listed."""
    if [*list_packs(repo.storage)] != packs:
        return False
    try:
        return read_slots(repo.storage) == repo.state.slots
    except Damaged:
        return True


def examine(repo: Repository, progress: Progress | None = None) -> Examination:
    """Read every pack and operation, and walk all that they name. Changes nothing."""
    total = stored_bytes(repo.storage, repo.storage.list("packs"))
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total, "packs")

    report = repo.store.verify(tick)
    log = check_log(repo)
    harm = Harm(repo.store, report)
    starts = {id: name for id, name in log.starts.items() if id in log.owed or harm.stays(id) or id in report.lost}
    commits = harm.survey(starts)
    harm.survey_view(repo.view)
    for head in log.facts:  # behind one that is lost, older operations name those before it
        harm.survey_facts(head, "the fact log")
    return Examination(report, log, harm, commits)


def fsck_result(repo: Repository, found: Examination) -> FsckResult:
    """Put together what was found."""
    problems = [Problem(*one) for one in head_problems(repo)]
    problems += [Problem(*one) for one in found.log.problems]
    problems += _of_packs(found)
    if unfinished(repo):
        problems.append(Problem("a redaction", "was cut short, and bytes may still be there", repairable=True))
    problems += [
        Problem(f"what {(name := slot_name(*doubt.slot))} serves", doubt.why, (name,), repairable=True)
        for doubt in damaged_releases(repo)
    ]
    harm = found.harm
    stages = [
        slot_name(stage, scope)
        for stage, scopes in sorted(repo.view.stages.items())
        for scope, live in sorted(scopes.items())
        if live.commit in harm.commits
    ]
    return FsckResult(
        ok=not problems,
        objects=found.store.objects,
        commits=found.commits,
        packs=found.store.packs,
        bytes=found.store.bytes,
        problems=tuple(problems),
        lost=tuple(LostObject(id.type_name, id) for id in found.lost if id not in harm.why or id in found.store.lost),
        hurt=tuple(harm.commits),
        artifacts=tuple(harm.artifacts),
        stages=tuple(stages),
    )


def _of_packs(found: Examination) -> Iterator[Problem]:
    """Yield what is wrong in packs, with what it hurts; then what is in none of them."""
    harm, named = found.harm, set[ObjectId]()
    for one in found.store.problems:
        if one.torn and one.id in harm.torn:
            continue  # said of each chunk that is lost
        what = f"{one.key} at byte {one.offset}" if one.offset is not None else one.key
        hurts = harm.by_object.get(one.id, ()) if one.id is not None and one.lost else ()
        if one.id is not None:
            named.add(one.id)
        yield Problem(what, one.message, tuple(hurts), repairable=one.id is not None and not one.lost)
    for id, hurts in harm.by_object.items():
        if id not in named:
            yield Problem(f"{id.type_name} {id}", harm.why.get(id, MISSING), tuple(hurts))
