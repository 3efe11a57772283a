"""What each stage serves from disk: one link per stage and scope, which follows the operation log.

    .mlver/releases/<stage>/<scope or "all">/current -> ../../.store/<name of the release>

The log is the truth. A link that says something else was left by a crash, and `settle` moves it. With the
setting `releases.write = "asked"`, as in clones, only stages that have a folder here are served from here.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.errors import Conflict, Damaged, MlverError, OutcomeUnknown, UsageError
from mlver.frozen import frozen
from mlver.objects.state import EVERYONE, Live, View
from mlver.repo.materialise import Progress
from mlver.repo.release_store import (
    LOCK,
    Release,
    as_served,
    distrust,
    ensure,
    files_match,
    names_on_disk,
    remove,
    store_folder,
)
from mlver.repo.settings import ALWAYS
from mlver.storage import durable
from mlver.storage.looking import exists, is_folder, link_target, names_in
from mlver.storage.swap import carry_off, swap_link, take_away, turn

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_ALL = "all"
_LINK = "current"
_ATTEMPTS = 5
_ASTRAY = "the link is not where the operation log says"
_LOOKS, _PAUSE = 3, 0.02  # seconds: a move that is being made is done by then
_IN_WORK = 3600.0  # seconds a release that no operation names may be somebody's who is about to record it

Slot = tuple[str, str]  # stage and scope


@frozen
class Settled:
    """The stages whose link was moved, and what kept others from it."""

    moved: tuple[Slot, ...] = ()
    problems: tuple[tuple[Slot, MlverError], ...] = ()


@frozen
class Doubt:
    """A stage that serves something else than it should, or of which that cannot be told: `read` is False then."""

    slot: Slot
    why: str
    read: bool = True


def link_path(repo: Repository, stage: str, scope: str) -> Path:
    """Return the link that a stage serves a scope from. Whoever reads several files resolves it once: `pinned`."""
    return repo.dot / "releases" / stage / (scope or _ALL) / _LINK


def linked(repo: Repository, stage: str, scope: str) -> str | None:
    """Return the name of the release the link points to, None when there is no link or it leads nowhere."""
    target = link_target(link_path(repo, stage, scope))
    name = (target or "").rpartition("/")[2]
    return name if name and is_folder(store_folder(repo) / name) else None


def serves(repo: Repository, stage: str) -> bool:
    """Whether this copy of the repository writes releases of a stage. A clone does so only for stages moved there."""
    try:
        always = repo.settings.get("releases.write") == ALWAYS
    except UsageError:  # of the settings; whoever changes something is told
        always = True
    return always or is_folder(repo.dot / "releases" / stage)


def serve(repo: Repository, stage: str) -> None:
    """Let this copy serve a stage from now on. Done before a move is recorded: a crash must not lose it."""
    durable.make_dirs(repo.dot / "releases" / stage)


def pinned(repo: Repository, stage: str, scope: str = EVERYONE) -> Path | None:
    """Return the folder served now, by its own name: it stays the same while the link moves on."""
    scopes = repo.view.stages.get(stage, {})
    name = linked(repo, stage, scope if scope in scopes else EVERYONE)
    return store_folder(repo) / name if name else None


def unsettled(repo: Repository) -> tuple[str, ...]:
    """Return the stages, with their scope, whose link is not where the operation log says. Changes nothing."""
    return tuple(slot_name(*slot) for slot in sorted(_mismatches(repo, repo.view)))


def slot_name(stage: str, scope: str) -> str:
    """Return a stage with its scope as revisions have it: `prod`, `prod/clinic=C`."""
    return f"{stage}/{scope}" if scope else stage


def settle(repo: Repository, progress: Progress | None = None) -> Settled:
    """Make every link follow the newest operation; a release that is gone from disk is written again.

    What goes wrong with one stage does not keep the others from being settled.
    """
    moved: list[Slot] = []
    problems: dict[Slot, MlverError] = {}
    for _ in range(_ATTEMPTS):
        todo = {slot: live for slot, live in _mismatches(repo, repo.refresh()).items() if slot not in problems}
        if not todo:
            break
        for slot, live in todo.items():
            try:
                if live is not None:
                    _ensure_release(repo, slot[0], live, progress)
                moved += _follow(repo, slot)
            except MlverError as error:
                problems[slot] = error
    else:
        for slot in _mismatches(repo, repo.refresh()).keys() - problems.keys():
            problems[slot] = Conflict(f"{slot_name(*slot)} keeps being moved", hint="try again in a moment")
    return Settled(tuple(moved), tuple(problems.items()))


def confirm(repo: Repository, stage: str, scope: str) -> None:
    """Make durable that a slot serves what it serves; whoever moved it may have died before it was. Raises LocalIO."""
    folder = link_path(repo, stage, scope).parent
    if is_folder(folder):
        durable.fsync_dir(folder)


def settle_after(repo: Repository, *, only: Slot | None = None, progress: Progress | None = None) -> None:
    """Settle after an operation was recorded.

    Raises OutcomeUnknown, saying what is still to be done, when that fails (for the slot `only`, if given).
    """
    for slot, error in settle(repo, progress).problems:
        if only not in (None, slot):
            continue
        raise OutcomeUnknown(
            f"recorded, but what {slot_name(*slot)} serves could not be swapped: {error.message}",
            hint=f"put that right, then mlver deployed {slot[0]} finishes it",
        ) from error


def damaged_releases(repo: Repository) -> list[Doubt]:
    """Read every file that is served now; return what is wrong, or cannot be compared, by stage and scope.

    A move that is being made looks like one that a crash cut short, so a link is looked at again.
    """
    found = [doubt for slot in sorted(_wanted(repo, repo.view)) if (doubt := _doubt(repo, slot))]
    for _ in range(_LOOKS):
        if all(doubt.why != _ASTRAY for doubt in found):
            break
        time.sleep(_PAUSE)
        with contextlib.suppress(Damaged):  # of a head that was damaged all along
            repo.refresh()
        again = [_doubt(repo, doubt.slot) if doubt.why == _ASTRAY else doubt for doubt in found]
        found = [doubt for doubt in again if doubt]
    return found


def _doubt(repo: Repository, slot: Slot) -> Doubt | None:
    live = _wanted(repo, repo.view).get(slot)
    if live is None:
        return None
    if linked(repo, *slot) != live.release:
        return Doubt(slot, _ASTRAY)
    try:
        if not files_match(repo, _release(repo, slot[0], live)):
            return Doubt(slot, f"the files of release {live.release} are not those of commit {live.commit.short}")
    except MlverError as error:
        return Doubt(slot, f"cannot be compared with its commit: {error.message}", read=False)
    return None


def mend_release(repo: Repository, slot: Slot) -> None:
    """Write what one stage serves anew where it is not what its commit says, whatever stat data say; raises MlverError.

    A damaged folder goes to quarantine.
    """
    live = _wanted(repo, repo.refresh()).get(slot)
    if live is None:
        return
    release = _release(repo, slot[0], live)
    if not files_match(repo, release):
        distrust(repo, release)
    _ensure_release(repo, slot[0], live, None)
    if linked(repo, *slot) != live.release:
        _follow(repo, slot)


def prune(repo: Repository) -> tuple[str, ...]:
    """Remove releases nobody would go back to at once; return their names.

    Kept are those that are live, and of each stage the last `releases.keep` others that were. So is
    one that no operation names yet, for a while: somebody may be about to record it.
    """
    live = {entry.release for entry in _wanted(repo, repo.view).values()}
    idle = set(names_on_disk(repo)) - live
    keep: int = repo.settings.get("releases.keep")
    if len(idle) <= keep:
        return ()
    seen, kept = _recent(repo, idle, keep)
    doomed = [name for name in sorted(idle - kept) if name in seen or not _fresh(repo, name)]
    with turn(store_folder(repo) / LOCK):
        gone = [name for name in doomed if remove(repo, name, partial(_is_idle, repo, name))]
    _sweep(repo)
    return tuple(gone)


def _recent(repo: Repository, idle: set[str], keep: int) -> tuple[set[str], set[str]]:
    """Walk back through the operations; return which idle releases were seen, and each stage's last `keep`."""
    seen: set[str] = set()
    recent: dict[str, list[str]] = {}
    for _, operation in repo.operations():
        for (stage, _), live in _wanted(repo, operation.view).items():
            if live.release in idle:
                seen.add(live.release)
                names = recent.setdefault(stage, [])
                if live.release not in names and len(names) < keep:
                    names.append(live.release)
        if seen == idle:
            break
    return seen, {name for names in recent.values() for name in names}


def _wanted(repo: Repository, view: View) -> dict[Slot, Live]:
    """What is to be on disk here: of the stages that this copy of the repository serves."""
    return {
        (stage, scope): live
        for stage, scopes in view.stages.items()
        if serves(repo, stage)
        for scope, live in scopes.items()
        if live.release
    }


def _mismatches(repo: Repository, view: View) -> Mapping[Slot, Live | None]:
    wanted = _wanted(repo, view)
    found: dict[Slot, Live | None] = {
        slot: live for slot, live in wanted.items() if linked(repo, *slot) != live.release
    }
    return found | dict.fromkeys(slot for slot in _linked_slots(repo) if slot not in wanted)


def _linked_slots(repo: Repository) -> list[Slot]:
    root = repo.dot / "releases"
    return [
        (stage, EVERYONE if scope == _ALL else scope)
        for stage in _names(root)
        for scope in _names(root / stage)
        if exists(root / stage / scope / _LINK)
    ]


def _names(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if not name.startswith(".")]


def live_from_disk(repo: Repository) -> dict[Slot, Live]:
    """Return what is live now and served from this copy of the repository."""
    return _wanted(repo, repo.refresh())


def remove_idle(repo: Repository, name: str) -> bool:
    """Remove a release that is not live; whether it is gone."""
    with turn(store_folder(repo) / LOCK):
        return remove(repo, name, partial(_is_idle, repo, name))


def _release(repo: Repository, stage: str, live: Live) -> Release:
    return as_served(repo, repo.snapshot(live.commit), stage, live.release)


def _ensure_release(repo: Repository, stage: str, live: Live, progress: Progress | None) -> None:
    release = _release(repo, stage, live)
    if release.name != live.release:
        raise Damaged(f"release {live.release} does not follow from commit {live.commit.short}", hint="mlver fsck")
    ensure(repo, release, progress)


def _follow(repo: Repository, slot: Slot) -> list[Slot]:
    """Swap the link of one slot to what the newest operation says, if that is on disk."""
    link = link_path(repo, *slot)
    durable.make_dirs(store_folder(repo))
    with turn(store_folder(repo) / LOCK):
        name = _released(repo, slot)
        if name is None:
            if old := carry_off(link, lambda: _released(repo, slot) is None):
                durable.remove_tree(old.parent)
                durable.fsync_dir(link.parent)
            return [] if exists(link) else [slot]
        take_away(store_folder(repo) / name)  # who found it idle before cannot remove it any more
        if not is_folder(store_folder(repo) / name):
            return []  # moved or pruned meanwhile: the next round sees to it
        durable.make_dirs(link.parent)
        return [slot] if swap_link(link, f"../../.store/{name}", lambda: _released(repo, slot) == name) else []


def _released(repo: Repository, slot: Slot) -> str | None:
    """Return the release that a slot is to serve, as the newest operation has it."""
    live = _wanted(repo, repo.refresh()).get(slot)
    return live.release if live is not None else None


def _is_idle(repo: Repository, name: str) -> bool:
    return all(live.release != name for live in _wanted(repo, repo.refresh()).values())


def _fresh(repo: Repository, name: str) -> bool:
    try:
        return time.time() - os.lstat(store_folder(repo) / name).st_ctime < _IN_WORK
    except FileNotFoundError:
        return False


def _sweep(repo: Repository) -> None:
    """Remove what a crash left half written, once nobody can be at it any more."""
    for name in names_in(store_folder(repo)):
        if name.startswith(durable.TEMP_PREFIX) and not _fresh(repo, name):
            with contextlib.suppress(FileNotFoundError, MlverError):
                durable.remove_tree(store_folder(repo) / name)
