"""What is to be redacted: every stored version of a file, one version of it, or bytes by their id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from glob import escape

from mlver.errors import MlverError, NegativeAnswer, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import BlobId
from mlver.repo.holdings import Held, Holdings, matching
from mlver.repo.project import matches
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target

_HEX = re.compile(r"[0-9a-f]{6,64}")


@frozen
class Chosen:
    """The versions that go, by their ids: what each is, and whether it was asked for by its own id or revision."""

    held: dict[BlobId, Held]
    paths: tuple[str, ...]


def choose(repo: Repository, holdings: Holdings, targets: Sequence[str]) -> Chosen:
    """Return what `targets` name: `PATH` (a file, folder or glob: all its versions), `PATH@REV`, or a blob id.

    UnknownRevision for what no stored commit has, NegativeAnswer when all of it is redacted already.
    """
    if not targets:
        raise UsageError("what is to be redacted?", hint="mlver redact PATH --why REASON")
    found: dict[BlobId, Held] = {}
    for target in targets:
        found |= _of(repo, holdings, target)
    gone = repo.redactions()
    for held in list(found.values()):  # what is read in its place goes as well
        id = held.id
        while (tombstone := gone.get(id)) is not None and tombstone.replacement not in (None, *found):
            assert tombstone.replacement is not None
            id = tombstone.replacement
            found[id] = Held(held.path, id, held.kind, tombstone.length)
    left = {id: held for id, held in found.items() if (old := gone.get(id)) is None or old.replacement is not None}
    if not left:
        first = gone[next(iter(found))]
        raise NegativeAnswer(f"nothing to redact: {first.paths[0] if first.paths else first.blob} was {first.words}")
    return Chosen(left, tuple(sorted({held.path for held in left.values()})))


def _of(repo: Repository, holdings: Holdings, target: str) -> dict[BlobId, Held]:
    path = _path(repo, target)
    if path and (found := dict(matching(holdings, lambda one: one == path))):
        return found
    if path and (found := dict(matching(holdings, lambda one: matches(one, path)))):
        return found
    if _HEX.fullmatch(target) and (found := _by_id(holdings, target)):
        return found
    named = parse_target(repo, target)
    if named.rev is not None and named.path is not None and named.unit is None:
        commit = repo.resolve(named.rev)
        inside = [held for held in holdings.paths_in(commit) if matches(held.path, escape(named.path))]
        if inside:
            return {held.id: held for held in inside}
    raise UnknownRevision(f"no stored commit has {target[:80]!r}", hint="a path, PATH@REV, or the id of a blob")


def _path(repo: Repository, target: str) -> str:
    try:
        return repo.tree_path(target)
    except MlverError:
        return ""


def _by_id(holdings: Holdings, text: str) -> dict[BlobId, Held]:
    ids = [id for id in holdings.named if id.hex().startswith(text)]
    if len(ids) > 1:
        raise UnknownRevision(f"ambiguous blob {text!r}: {ids[0].short}, {ids[1].short}", hint="give more digits")
    if not ids or not holdings.keys(ids):
        return {}
    standing = matching(holdings, lambda _: True).get(ids[0])
    return {ids[0]: standing or Held("", ids[0], "file", holdings.size(ids[0]))}
