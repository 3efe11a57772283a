"""Removing bytes for good: packs are written anew without them, and everything else that may hold them is emptied.

One operation records the tombstones and condemns the packs. A note in `redaction/`, written before it, says what is
still to be removed; whoever comes next ends the work of one that was killed. docs/design/redaction.md has the protocol.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.errors import Conflict, Damaged, MlverError
from mlver.frozen import frozen
from mlver.index import cache_file
from mlver.objects.encoding import dump_canonical, load_plain
from mlver.objects.ids import BlobId, FactBatchId, OperationId
from mlver.objects.state import Fact, Operation
from mlver.repo.condemning import QUARANTINE
from mlver.repo.facts import append_facts
from mlver.repo.generation import TRASH, Trash
from mlver.repo.head import Head
from mlver.repo.holdings import Holdings
from mlver.repo.release_store import names_on_disk, release_files, store_folder
from mlver.repo.releases import live_from_disk, mend_release, remove_idle, settle
from mlver.repo.transaction import next_operation, record
from mlver.storage import durable
from mlver.storage.temporary import sweep_dead
from mlver.store.compact import Plan, Spoiled, carry_out, plan_without
from mlver.store.pack import list_packs, pack_key
from mlver.store.scan import load_rows

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

FOLDER = "redaction"
_KEPT_CACHES = ("objects.db", "stats.db", "moves.db")  # ids and paths: nothing of any content
_SWEPT = ("packs", "ops", "cache", TRASH, QUARANTINE, FOLDER, "")
_ATTEMPTS = 8


@frozen
class Leftovers:
    """What may hold removed bytes beside the packs: its files, and their size in bytes."""

    trash: int = 0
    quarantine: int = 0
    releases: tuple[str, ...] = ()
    bytes: int = 0


@frozen
class Erased:
    """What was written and removed: packs that were replaced, by how many, and how many bytes of them are gone."""

    operation: OperationId | None
    replaced: int
    made: int
    bytes: int


class _Again(Exception):
    """Somebody recorded something meanwhile that may need what was about to go."""


def erase(
    repo: Repository, gone: Collection[BlobId], facts: list[Fact], command: str, *, reason: str | None = None
) -> Erased:
    """Record `facts` and remove the blobs `gone` from the packs, and what nothing names; hold `alone` meanwhile.

    The bytes of replacements must be stored already. Afterwards `settle_erasures` removes the rest. Damaged, and
    nothing changed, when a pack cannot be read; Conflict when others keep changing the state.
    """
    also = [one for fact in facts if isinstance(one := fact.body.get("replacement"), str)]
    for _ in range(_ATTEMPTS):
        repo.refresh()
        seen = repo.state
        holdings = Holdings(repo)
        _refuse_in_trash(repo, holdings, gone)
        plan = plan_without(holdings.packs, holdings.survivors(gone, list(map(BlobId.parse, also))))
        try:
            made, size = carry_out(repo.store, plan, lambda _: None) if plan.replaced else ((), 0)
            doomed = tuple(sorted({pack.name for pack in plan.replaced} - set(made)))
            _record(repo, seen, doomed, facts, command, reason)
        except _Again:
            continue
        except Spoiled as found:
            raise Damaged(f"pack {found.name} is damaged; nothing was removed", hint="mlver repair") from None
        freed = sum(pack.size for pack in plan.replaced) - size
        return Erased(repo.state.id, len(doomed), len(made), freed)
    raise Conflict("others keep changing the repository", hint="try again in a moment")


def _refuse_in_trash(repo: Repository, holdings: Holdings, gone: Collection[BlobId]) -> None:
    """Raise Damaged when something that is named lies in the trash alone: emptying that would be the end of it."""
    spare = _ids_in_trash(repo)
    if spare and (lost := holdings.absent(gone) & spare):
        raise Damaged(f"{min(lost).hex()[:10]} is needed, and lies only in the trash", hint="mlver gc --restore")


def _ids_in_trash(repo: Repository) -> set[bytes]:
    trash = Trash(repo.storage)
    return {row.id for name in list_packs(trash) for row in load_rows(trash, name)[1]}


def trashed(repo: Repository, blobs: Collection[BlobId]) -> list[BlobId]:
    """Return which of some blobs lie in the trash, itself or the list of its chunks."""
    there = _ids_in_trash(repo) if blobs else set()
    return [id for id in blobs if id in there]


def _record(
    repo: Repository, seen: Head, doomed: tuple[str, ...], facts: list[Fact], command: str, reason: str | None
) -> None:
    noted: list[str] = []

    def build(head: Head) -> Operation:
        _forget(repo, noted)
        if head.id != seen.id:
            raise _Again
        view = head.operation.view
        log = append_facts(repo.store, view.facts, facts) if facts else view.facts
        operation = next_operation(repo, head, command, replace(view, facts=log), reason=reason)
        noted.append(_note(repo, operation.number, doomed, log))
        return replace(operation, condemned=doomed, collected=None)

    try:
        repo.state = record(repo.store, build)
    except (_Again, Conflict):
        _forget(repo, noted)
        raise


def _note(repo: Repository, number: int, doomed: tuple[str, ...], log: FactBatchId | None) -> str:
    key = f"{FOLDER}/{number}.json"
    with suppress(KeyError):  # of one that was cut short before its operation
        repo.storage.delete(key)
    said = {"packs": list(doomed), "facts": log.hex() if log else None, "by": repo.actor}
    repo.storage.create(key, dump_canonical(said) + b"\n")
    return key


def _forget(repo: Repository, notes: list[str]) -> None:
    for key in notes:
        with suppress(KeyError):
            repo.storage.delete(key)
    notes.clear()


# -- what is left to be removed ----------------------------------------------------------------------


def unfinished(repo: Repository) -> bool:
    """Whether a redaction was cut short, so that bytes may still be there."""
    return os.path.isdir(repo.dot / FOLDER) and any(repo.storage.list(FOLDER))


def settle_erasures(repo: Repository) -> bool:
    """Remove all that redactions which were recorded have left; whether there was any. Hold `alone` meanwhile."""
    found = False
    for key in list(repo.storage.list(FOLDER)):
        said = _read_note(repo, key)
        if said is not None and _was_recorded(repo, *said):
            _empty(repo, said[1])
            found = True
        with suppress(KeyError):  # last: until then all of it is done again
            repo.storage.delete(key)
    return found


def _read_note(repo: Repository, key: str) -> tuple[int, list[str], str | None] | None:
    try:
        plain = load_plain(repo.storage.read(key))
        number = int(key.rpartition("/")[2].removesuffix(".json"))
        packs = [name for name in plain["packs"] if len(name) == 64 and all(c in "0123456789abcdef" for c in name)]
        return number, packs, plain["facts"]
    except (Damaged, KeyError, TypeError, ValueError):
        return None


def _was_recorded(repo: Repository, number: int, packs: list[str], facts: str | None) -> bool:
    repo.refresh()
    for _, operation in repo.operations():
        if operation.number == number:
            log = operation.view.facts.hex() if operation.view.facts else None
            return operation.condemned is not None and list(operation.condemned) == packs and log == facts
        if operation.number < number:
            break
    return False


def _empty(repo: Repository, packs: list[str]) -> None:
    """Remove packs that were replaced, and everything else that may hold a copy of what was in them."""
    for name in packs:
        with suppress(KeyError):
            repo.storage.delete(pack_key(name))
    repo.store.renew()
    repo.store.index.refresh()
    _replace_releases(repo)
    for key in list(repo.storage.list(TRASH)):
        with suppress(KeyError):
            repo.storage.delete(key)
    _empty_quarantine(repo)
    _drop_caches(repo)
    for folder in _SWEPT:
        if (repo.dot / folder).is_dir():
            repo.storage.sweep(folder, older_than=0.0)
    sweep_dead()


def leftovers(repo: Repository, blobs: Collection[BlobId]) -> Leftovers:
    """Return what beside the packs would be removed with `blobs`."""
    trash = [repo.storage.size(key) for key in repo.storage.list(TRASH)]
    aside = [path for path in _walk(repo.dot / QUARANTINE) if path.suffix != ".json"]
    held = [path.lstat().st_size for path in aside]
    return Leftovers(len(trash), len(held), tuple(_with_any(repo, blobs)), sum(trash) + sum(held))


def _with_any(repo: Repository, blobs: Collection[BlobId]) -> list[str]:
    """Return the names of the releases on disk that hold one of `blobs`, or of which nobody knows what they hold."""
    files = {name: release_files(repo, name) for name in names_on_disk(repo)}
    return [name for name, held in files.items() if held is None or any(id in blobs for id in held.values())]


def _replace_releases(repo: Repository) -> None:
    """Remove releases that hold what was redacted; one that is live is written anew without it, and then swapped."""
    held = set(_with_any(repo, repo.redactions(True).keys()))
    for slot, live in live_from_disk(repo).items():
        if live.release in held:
            mend_release(repo, slot)  # the old folder goes to quarantine, and from there with all the rest
            held.discard(live.release)
    for _, error in settle(repo).problems:  # one that was cut short here may have left a link to nothing
        raise error
    for name in held:
        remove_idle(repo, name)
    for folder in _walk_folders(store_folder(repo)):
        if folder.name.startswith(durable.TEMP_PREFIX):
            _remove_tree(folder)


def _empty_quarantine(repo: Repository) -> None:
    """Remove what was set aside, but for the notes that say why it was."""
    root = repo.dot / QUARANTINE
    for folder in _walk_folders(root):
        _remove_tree(folder)
    for path in _walk(root):
        if path.suffix != ".json":
            with suppress(FileNotFoundError):
                durable.remove(path)


def _drop_caches(repo: Repository) -> None:
    repo.fact_index.close()  # it holds what stands in files of alerts
    repo.derived.close()
    for path in _walk(repo.dot / "cache"):
        kept = path.name in _KEPT_CACHES or path.name.startswith("remote-")
        if path.suffix == ".db" and not kept:
            cache_file.delete(path)


def _walk(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if not path.is_dir()) if root.is_dir() else []


def _walk_folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.is_symlink()) if root.is_dir() else []


def _remove_tree(path: Path) -> None:
    with suppress(FileNotFoundError, MlverError):
        durable.remove_tree(path)


def plan_of(repo: Repository, holdings: Holdings, gone: Collection[BlobId]) -> Plan:
    """Return which packs would be replaced, and what would be written."""
    return plan_without(holdings.packs, holdings.survivors(gone))
