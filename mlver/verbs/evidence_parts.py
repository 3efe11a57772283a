"""The members of an evidence archive, and the archive that they give: the same members, the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.commit import Derivation
from mlver.objects.encoding import dump_canonical, encode, to_plain
from mlver.objects.ids import BlobId, EnvironmentId, ObjectId, OperationId, TreeId
from mlver.objects.tree import TREE
from mlver.repo.facts import fact_id
from mlver.repo.repository import Repository
from mlver.repo.snapshot import read_tree
from mlver.verbs.evidence_check import FACTS, MANIFEST, PATCH, RECORD, SCHEMA
from mlver.verbs.evidence_members import SUMS, archive_end, member_header, padding
from mlver.verbs.evidence_readme import readme
from mlver.verbs.evidence_result import Dossier, Moved, Tenure
from mlver.verbs.evidence_script import verify_script

_PIECE = 1 << 20


@frozen
class Part:
    """One member: its name, size, SHA-256 and bytes, read when asked for."""

    name: str
    size: int
    sha256: str
    pieces: Callable[[], Iterable[bytes]]


def parts_of(repo: Repository, dossier: Dossier) -> list[Part]:
    """Return everything that goes into the archive, sorted by name; Damaged when an object is missing."""
    rows = list(zip(dossier.files, dossier.sums, strict=True))
    found = [
        _bytes("README.txt", readme(dossier).encode()),
        _bytes("verify.py", verify_script()),
        _bytes(RECORD, _json(_record(dossier))),
        _bytes(MANIFEST, _json([_row(dossier, n) for n in range(len(rows))])),
        _bytes(FACTS, b"".join(encode(fact) + b"\n" for fact in dossier.facts)),
        *_objects(repo, dossier),
    ]
    if dossier.with_files:
        found += [_blob(repo, f"files/{file.path}", file.id, sha256) for file, sha256 in rows]
        if dossier.commit.git is not None and (patch := dossier.commit.git.patch) is not None:
            found.append(_blob(repo, PATCH, patch, sha256_of_blob(repo, patch)))
    found.sort(key=lambda part: part.name)
    found.append(_bytes(SUMS, "".join(_sum_line(part) for part in found).encode()))
    return sorted(found, key=lambda part: part.name)


def archive(folder: str, parts: Sequence[Part]) -> Iterator[bytes]:
    """Yield the bytes of the archive: plain files in one folder, dated 0, owned by nobody."""
    length = 0
    for part in parts:
        header = member_header(f"{folder}/{part.name}", part.size)
        filler = padding(part.size)
        yield header
        yield from part.pieces()
        yield filler
        length += len(header) + part.size + len(filler)
    yield archive_end(length)


def sha256_of_blob(repo: Repository, id: BlobId) -> str:
    """Return the SHA-256 of a blob, which is verified on the way; Damaged."""
    digest = hashlib.sha256()
    repo.store.copy_blob(id, digest.update)
    return digest.hexdigest()


def _objects(repo: Repository, dossier: Dossier) -> Iterator[Part]:
    ids: dict[ObjectId, None] = {dossier.id: None}
    environments: list[EnvironmentId | None] = [dossier.commit.environment]
    for derivation in dossier.commit.derivations.values():
        ids[derivation] = None
        environments.append(repo.store.get_object(Derivation, derivation).environment)
    ids |= {id: None for id in environments if id is not None}
    ids |= dict.fromkeys(_trees(repo, dossier.commit.tree))
    for id in ids:
        yield _object(id, repo.store.get(id))
    for held in dict.fromkeys(
        move.held_in for tenure in dossier.served for move in (tenure.began, tenure.ended) if move
    ):
        yield _object(held, encode(repo.operation(held)))


def _trees(repo: Repository, root: TreeId) -> Iterator[TreeId]:
    pending = [root]
    while pending:
        id = pending.pop()
        yield id
        pending += [TreeId(entry.id) for entry in read_tree(repo.store, id).entries if entry.type == TREE]


def _object(id: ObjectId | OperationId, data: bytes) -> Part:
    return _bytes(f"objects/{id.type_name}/{id}.json", data)


def _bytes(name: str, data: bytes) -> Part:
    return Part(name, len(data), hashlib.sha256(data).hexdigest(), lambda: (data,))


def _blob(repo: Repository, name: str, id: BlobId, sha256: str) -> Part:
    return Part(name, repo.store.blob_size(id), sha256, lambda: _read(repo.store.open_blob(id)))


def _read(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(_PIECE):
            yield piece


def _sum_line(part: Part) -> str:
    """Return a line as `sha256sum` writes it: a name with a backslash or a line break is escaped, and marked."""
    name = part.name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if name == part.name else chr(92)}{part.sha256}  {name}\n"


def _json(value: Value) -> bytes:
    return dump_canonical(value) + b"\n"


def _row(dossier: Dossier, n: int) -> Value:
    file = dossier.files[n]
    said = {"path": file.path, "type": file.type, "kind": file.kind, "size": file.size}
    return said | {"blake3": str(file.id), "sha256": dossier.sums[n]}


def _record(dossier: Dossier) -> Value:
    commit = to_plain(dossier.commit)
    return {
        "schema": SCHEMA,
        "asked": dossier.asked,
        "at": to_plain(dossier.at),
        "commit": str(dossier.id),
        "tree": commit["tree"],
        "parents": commit.get("parents", []),
        "environment": commit.get("environment"),
        "derivations": commit.get("derivations", {}),
        "served": [_tenure(one) for one in dossier.served],
        "facts": [str(fact_id(fact)) for fact in dossier.facts],
        "with_files": dossier.with_files,
    }


def _tenure(one: Tenure) -> Value:
    return {
        "stage": one.stage,
        "scope": one.scope,
        "live": to_plain(one.live),
        "began": _move(one.began),
        "ended": _move(one.ended) | {"live": to_plain(one.ended.live)} if one.ended else None,
    }


def _move(move: Moved) -> dict[str, Value]:
    return {"operation": str(move.operation), "held_in": str(move.held_in), "at": to_plain(move.at)}
