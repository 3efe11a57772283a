"""`gc`: drop what nothing needs any more, and put small packs together. docs/design/gc.md has the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from mlver.repo.condemning import alone, condemn, move_pack, settle_condemned
from mlver.repo.gc_roots import effective_times, gc_setting, parse_grace, parse_keep
from mlver.repo.generation import TRASH, in_trash, trash_key
from mlver.repo.head import Head
from mlver.repo.repository import Repository
from mlver.repo.transaction import recorded
from mlver.store.compact import Key, Plan, Spoiled, carry_out, make_plan, plan_besides
from mlver.store.pack import pack_key, stored_bytes
from mlver.verbs.common import Progress
from mlver.verbs.gc_result import GcResult, RestoreTrashResult
from mlver.verbs.gc_survey import FRESH, Survey, Terms, all_rows

_T = TypeVar("_T")
_SHARE = 0.3  # of a pack that must be dead before it is written anew


def gc(
    repo: Repository,
    *,
    dry_run: bool = False,
    grace: str | None = None,
    keep: str | None = None,
    full: bool = False,
    progress: Progress | None = None,
) -> GcResult:
    """Drop what no root leads to, replace packs that are mostly dead, and put small ones together.

    What goes lies in the trash first. `grace` (`2w`, `0`) says how long what lost its name is kept and how long
    the trash is, instead of the settings `gc.retention` and `gc.trash`. `keep` adds policies such as
    `best:5:recall,days:30`. With `full` every pack with anything dead is replaced. Safe beside any command.
    Conflict when another gc runs, Damaged when it cannot be told what is needed; nothing is dropped then.
    """
    terms = gc_terms(repo, grace, keep, full)
    if dry_run:
        return _Run(repo, terms, progress).imagine()
    with alone(repo):
        return _Run(repo, terms, progress).carry_out()


def gc_terms(repo: Repository, grace: str | None = None, keep: str | None = None, full: bool = False) -> Terms:
    """Return what settings and arguments ask of gc; UsageError for what cannot be read."""
    short = parse_grace(grace) if grace is not None else None
    retention, trash = (
        short if short is not None else _setting(repo, name, parse_grace) for name in ("gc.retention", "gc.trash")
    )
    policy = _setting(repo, "gc.keep", parse_keep).joined(parse_keep(keep or ""))
    return Terms(retention, trash, min(FRESH, short) if short is not None else FRESH, policy, full)


def _setting(repo: Repository, name: str, read: Callable[[str], _T]) -> _T:
    return gc_setting(name, repo.settings.get(name) or "", read)


def restore_trash(repo: Repository) -> RestoreTrashResult:
    """Bring back what lies in the trash. Nothing is named by that: `commits` are for `mlver branch NAME ID`."""
    with alone(repo):
        settle_condemned(repo)
        found = list(in_trash(repo.storage))
        if not found:
            return RestoreTrashResult(0, 0, ())
        condemn(repo, (), lambda _: "gc --restore")
        size = 0
        with recorded():
            for number, name in found:
                size += repo.storage.size(trash_key(number, name))
                move_pack(repo, trash_key(number, name), pack_key(name))
            repo.store.renew()
            repo.store.index.refresh()
        survey = Survey(repo, gc_terms(repo, "0"))
        unnamed = tuple(id for id in survey.commits if id not in survey.marks.came)
        return RestoreTrashResult(len(found), size, unnamed)


class _Run:
    """One run of gc."""

    def __init__(self, repo: Repository, terms: Terms, progress: Progress | None) -> None:
        self.repo, self.terms, self.progress = repo, terms, progress
        self.spoiled: set[str] = set()
        self.survey: Survey
        self.plan: Plan
        self.made: list[str] = []  # new packs, and their bytes
        self.size = 0
        self.gone: dict[Key, int]  # what the plan drops, with its bytes, but for what got a name again since we looked

    def imagine(self) -> GcResult:
        """Return what would happen."""
        self._look()
        old = stored_bytes(self.repo.storage, (trash_key(*one) for one in self._due()))
        return self._result(self.plan.bytes, 1 if self.plan.bytes else 0, emptied=old, dry_run=True)

    def carry_out(self) -> GcResult:
        """Do it."""
        settle_condemned(self.repo)
        while True:
            try:
                self._look()
                self._copy(self.plan)
                doomed = self._replaced() - set(self.made)
                operation = condemn(self.repo, tuple(sorted(doomed)), self._follow) if doomed else None
                break
            except Spoiled as found:  # which is left alone from now on
                self.spoiled.add(found.name)
        with recorded():
            result = self._result(self.size, len(self.made))
            settle_condemned(self.repo)
            emptied = self._empty()
            trash = _trash_bytes(self.repo)
        return replace(result, operation=operation, emptied=emptied, trash=trash)

    def _look(self) -> None:
        if self.progress:
            self.progress(0, 0, "looking for what is needed")
        self.survey = survey = Survey(self.repo, self.terms, self.spoiled)
        marks = survey.marks
        self.plan = make_plan(survey.packs, marks.live, marks.keep_below, share=_SHARE, full=self.terms.full)
        self.made, self.size, self.gone = [], 0, self._gone()

    def _copy(self, plan: Plan, avoid: frozenset[str] = frozenset()) -> None:
        if any(plan.copied.values()) or plan.doubles:
            made, size = carry_out(self.repo.store, plan, self._tick(), avoid=avoid)
            self.made += made
            self.size += size

    def _replaced(self) -> frozenset[str]:
        return frozenset(pack.name for pack in self.plan.replaced)

    def _gone(self) -> dict[Key, int]:
        names = self._replaced()
        stays = {(row.type, row.id) for rows in self.plan.copied.values() for row in rows}
        stays |= all_rows(pack for pack in self.survey.packs if pack.name not in names).keys()
        return {key: size for key, size in all_rows(self.plan.replaced).items() if key not in stays}

    def _follow(self, head: Head) -> str:
        """Keep what a head that moved since we looked names of what was to go; return what the operation is called."""
        if head.id != self.survey.head.id:
            back = self.survey.follow(head) & self.gone.keys()
            self._copy(plan_besides(self.plan, back), self._replaced())
            for key in back:
                del self.gone[key]
        count, freed = len(self.survey.lost(self.gone)), self._freed(self.size)
        return f"gc: {count} commit{'s' * (count != 1)}, {freed} bytes dropped" if count else "gc"

    def _freed(self, size: int) -> int:
        return sum(pack.size for pack in self.plan.replaced) - size

    def _tick(self) -> Callable[[int], None]:
        done = 0

        def tick(count: int) -> None:
            nonlocal done
            done += count
            if self.progress:
                self.progress(done, self.plan.bytes, "packs")

        return tick

    def _result(self, size: int, new: int, *, emptied: int = 0, dry_run: bool = False) -> GcResult:
        packs, replaced = self.survey.packs, self.plan.replaced
        before = sum(pack.size for pack in packs)
        dropped, _ = self.survey.dropped(self.gone)
        freed = self._freed(size)
        return GcResult(
            dry_run=dry_run,
            commits=len(self.survey.commits) - len(dropped),
            dropped=dropped,
            waiting=self.survey.waiting,
            unnamed=max(0, freed - sum(one.bytes for one in dropped)),
            packs_before=len(packs),
            packs_after=len(packs) - len(replaced) + new,
            bytes_before=before,
            bytes_after=before - freed,
            trash=_trash_bytes(self.repo),
            emptied=emptied,
            spared=sum(pack.alone and pack.name not in self.spoiled for pack in packs),
            damaged=tuple(sorted(self.spoiled)),
        )

    def _due(self) -> list[tuple[int, str]]:
        """What has lain in the trash for long enough. Nothing where packs are damaged: good copies may lie there."""
        if self.spoiled:
            return []
        log = self.survey.log
        times = {op.number: time for (_, op), time in zip(log, effective_times(log), strict=True)}
        now = self.repo.now()
        zero = self.terms.trash <= timedelta()
        return [
            (number, name)
            for number, name in in_trash(self.repo.storage)
            if zero or (number in times and times[number] <= now - self.terms.trash)
        ]

    def _empty(self) -> int:
        removed = 0
        for number, name in self._due():
            key = trash_key(number, name)
            removed += self.repo.storage.size(key)
            self.repo.storage.delete(key)
        return removed


def _trash_bytes(repo: Repository) -> int:
    return stored_bytes(repo.storage, repo.storage.list(TRASH))
