"""Repositories that are small and say that they are giant: every object under its right id, every checksum right."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import zstandard

from mlver.objects.encoding import encode
from mlver.objects.ids import BlobId, CommitId, OperationId, TreeId
from mlver.repo.head import slot_bytes
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.storage.beneath import Beneath
from mlver.store.frames import LIST, MAX_CHUNK, RAW, TYPES, ZSTD, pack_list
from mlver.verbs.clone import clone
from mlver.verbs.diff import diff
from mlver.verbs.fetch import fetch
from mlver.verbs.fsck import fsck
from mlver.verbs.log import log
from mlver.verbs.remote import add_remote
from mlver.verbs.repair import repair
from mlver.verbs.restore import restore
from mlver.verbs.show import show
from mlver.verbs.status import status
from mlver.verbs.switch import switch
from tests.badinput.test_giants import LIES
from tests.badinput.test_giants import pack_of as giant_pack
from tests.fault.name_scene import Forger, row
from tests.kit import Bench

MIB = 1 << 20
TERABYTE = 1 << 40
HONEST = 600 * MIB  # more than is allowed, and little enough that whoever unfolds it ends
Step = tuple[str, Callable[[], object]]


def _forger(root: Path) -> Forger:
    return Forger(Repository.open(root, actor="eve"))


def _done(forger: Forger, tree: str) -> None:
    forger.commit(tree)
    forger.repo.close()


def _doubling(leaf: Callable[[Forger], list[list[object]]]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        forger = _forger(root)
        rows = leaf(forger)
        for _ in range(40):
            below = forger.tree(rows)
            rows = [row("a", "tree", below, 0), row("b", "tree", below, 0)]
        _done(forger, forger.tree(rows))

    return make


def _deep(root: Path) -> None:
    forger = _forger(root)
    rows = [row("x", "blob", forger.blob(b"x"), 1)]
    for _ in range(600):
        rows = [row("d" * 250, "tree", forger.tree(rows), 1)]
    _done(forger, forger.tree(rows))


def _repeated_chunk(root: Path) -> None:
    """Half a gigabyte where there is room for a fifth of it: a list that names one chunk over and over."""
    forger = _forger(root)
    chunk = bytes(MAX_CHUNK)
    id = forger.blob(chunk)
    count = 2_000
    Beneath.free = lambda root: 100 << 20  # type: ignore[method-assign]  # of this child alone
    blob = BlobId.of(b"nobody has ever hashed it")
    payload = pack_list([(bytes.fromhex(id), MAX_CHUNK)]) * count
    giant_pack(_bench(root), [(TYPES[LIST], RAW, len(payload), len(payload), blob, payload)])
    forger.repo.close()
    forger = _forger(root)
    _done(forger, forger.tree([row("x.bin", "blob", blob.hex(), count * MAX_CHUNK)]))


def _bench(root: Path) -> Bench:
    bench = Bench.__new__(Bench)
    bench.root = root
    return bench


def _lie(name: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        type_, codec, stored, raw, payload = LIES[name]
        forger = _forger(root)
        _done(forger, forger.tree([row("x", "blob", forger.blob(b"x"), 1)]))
        giant_pack(_bench(root), [(type_, codec, stored, raw, b"\7" * 32, payload)])

    return make


def _raw_object(type_: str, data: Callable[[], bytes]) -> Callable[[Path], None]:
    """A branch whose root folder is these bytes, packed as small as they will be."""

    def make(root: Path) -> None:
        forger = _forger(root)
        raw = data()
        packed = zstandard.ZstdCompressor(level=3).compress(raw)
        id = TreeId.of(raw)
        giant_pack(_bench(root), [(TYPES[type_], ZSTD, len(packed), len(raw), id, packed)])
        forger.repo.close()
        _done(_forger(root), id.hex())

    return make


def _zeros(size: int) -> bytes:
    """Return a frame of zstd that unfolds to so many zeros, and says so: short blocks that repeat one byte.

    It is a 190th of what it holds, so that only a bound on the length itself can refuse it.
    """
    whole, rest = divmod(size, 760)
    last = ((rest or 760) << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    blocks = ((760 << 3 | 1 << 1).to_bytes(3, "little") + b"\0") * (whole if rest else whole - 1)
    return b"\x28\xb5\x2f\xfd\xc0\x50" + struct.pack("<Q", size) + blocks + last


def _in_truth(root: Path) -> None:
    """A folder of more bytes than any object may have, all of which are there."""
    packed, id = _zeros(HONEST), TreeId.of(b"nobody has ever hashed it")
    giant_pack(_bench(root), [(TYPES["tree"], ZSTD, len(packed), HONEST, id, packed)])
    _done(_forger(root), id.hex())


def _operation(data: bytes, sparse: int = 0) -> Callable[[Path], None]:
    """The newest operation is these bytes."""

    def make(root: Path) -> None:
        repo = Repository.open(root, actor="eve")
        number = repo.state.operation.number + 1
        repo.close()
        id = OperationId(b"\7" * 32) if sparse or data[:4] == b"\x28\xb5\x2f\xfd" else OperationId.of(data)
        path = root / f".mlver/ops/{id}"
        path.write_bytes(data)
        if sparse:
            os.truncate(path, sparse)
        slot = root / f".mlver/head.{number % 2}"
        slot.unlink(missing_ok=True)
        slot.write_bytes(slot_bytes(number, id))

    return make


def _view_of(count: int) -> Callable[[Path], None]:
    """An operation with very many tags: lawful, and small when packed."""

    def make(root: Path) -> None:
        repo = Repository.open(root, actor="eve")
        state = repo.state
        tags = {f"t{number}": repo.view.head for number in range(count)}
        view = replace(state.operation.view, tags=tags)
        data = encode(replace(state.operation, number=state.operation.number + 1, parent=state.id, view=view))
        repo.close()
        id = OperationId.of(data)
        (root / f".mlver/ops/{id}").write_bytes(zstandard.ZstdCompressor(level=3).compress(data))
        slot = root / f".mlver/head.{(state.operation.number + 1) % 2}"
        slot.unlink(missing_ok=True)
        slot.write_bytes(slot_bytes(state.operation.number + 1, id))

    return make


def _sparse(pattern: str, size: int) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for path in [*root.glob(pattern)] or [root / pattern]:
            path.touch()
            path.chmod(0o644)
            os.truncate(path, size)

    return make


def _written(name: str, data: Callable[[], bytes]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (root / name).write_bytes(data())

    return make


def _parents(root: Path) -> None:
    forger = _forger(root)
    head = forger.repo.commit(forger.repo.resolve("HEAD"))
    with forger.repo.store.session() as session:
        id = session.put_object(replace(head, parents=(forger.repo.resolve("HEAD"),) * 200_000))
        session.finish()
    assert isinstance(id, CommitId)
    transact(forger.repo, "evil", lambda view: replace(view, branches={**view.branches, "evil": id}))
    forger.repo.close()


def _message(root: Path) -> None:
    forger = _forger(root)
    head = forger.repo.commit(forger.repo.resolve("HEAD"))
    with forger.repo.store.session() as session:
        id = session.put_object(replace(head, message="x" * (20 * MIB)))
        session.finish()
    assert isinstance(id, CommitId)
    transact(forger.repo, "evil", lambda view: replace(view, branches={**view.branches, "evil": id}))
    forger.repo.close()


REPOSITORIES: dict[str, Callable[[Path], None]] = {
    "tree: 2^40 files of one": _doubling(lambda forger: [row("x", "blob", forger.blob(b"x"), 1)]),
    "tree: 2^40 files that are lost": _doubling(lambda forger: [row("x", "blob", "0" * 64, 1)]),
    "tree: 2^40 empty folders": _doubling(lambda forger: []),
    "tree: 600 folders deep": _deep,
    "tree: 100 MB of blanks": _raw_object("tree", lambda: b'{"entries":[' + b" " * (100 * MIB) + b"]}"),
    "tree: deep": _raw_object("tree", lambda: b"[" * (100 * MIB)),
    "tree: digits": _raw_object("tree", lambda: b'{"entries":' + b"9" * (50 * MIB) + b"}"),
    "blob: one chunk, over and over": _repeated_chunk,
    "tree: 600 MB in a frame, in truth": _in_truth,
    "commit: 200,000 parents": _parents,
    "commit: a message of 20 MB": _message,
    **{f"pack: {name}": _lie(name) for name in LIES},
    "pack: a terabyte of nothing": _sparse(f".mlver/packs/{'0' * 64}.pack", TERABYTE),
    "packs: each a terabyte long": _sparse(".mlver/packs/*.pack", TERABYTE),
    "operation: a terabyte long": _operation(b"x", TERABYTE),
    "operation: 256 MB, sparse": _operation(b"{", 1 << 28),
    "operation: a frame that says 1.1 TB": _operation(b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", TERABYTE)),
    "operation: 600 MB in a frame, in truth": _operation(_zeros(HONEST)),
    "operation: 255 MB in a frame": _operation(zstandard.ZstdCompressor().compress(bytes(255 * MIB))),
    "operation: deep": _operation(b"[" * (50 * MIB)),
    "operation: 20,000 tags": _view_of(20_000),
    "head: a slot of a gigabyte": _sparse(".mlver/head.0", 1 << 30),
    "head: both of a terabyte": _sparse(".mlver/head.*", TERABYTE),
    "caches: each a terabyte long": _sparse(".mlver/cache/*.db", TERABYTE),
    "config.toml: a gigabyte": _sparse(".mlver/config.toml", 1 << 30),
    "format: a gigabyte": _sparse(".mlver/format", 1 << 30),
    "mlver.toml: a quarter of a gigabyte": _sparse("mlver.toml", 1 << 28),
    "mlver.toml: deep": _written("mlver.toml", lambda: b"a = " + b"[" * 200_000),
    "mlver.toml: deep keys": _written("mlver.toml", lambda: b"policy." + b"a." * 100_000 + b"b = 1\n"),
    "mlver.toml: patterns that take for ever": _written(
        "mlver.toml", lambda: b"[[artifact]]\npath = '" + b"*a" * 2_000 + b"b'\nkind = 'data'\n"
    ),
    ".mlverignore: a gigabyte": _sparse(".mlverignore", 1 << 30),
    ".mlverignore: stars": _written(".mlverignore", lambda: b"*a*a*a*a*a*a*a*a*a*a*a*b\n" * 200),
    ".mlverignore: many lines": _written(".mlverignore", lambda: b"**/x[a-z]*?/**\n" * 60_000),
    ".mlverignore: many brackets": _written(".mlverignore", lambda: b"[" * 500_000 + b"\n"),
}  # fmt: skip


def steps_of(name: str, root: Path) -> list[Step]:
    """Return what is done with a repository that is a bomb: every way of reading it, each opened anew."""
    long = root / ("a" * 200 + "-" + "ab" * 20)
    long.write_text("x")  # for patterns to work on
    REPOSITORIES[name](root)
    other = root.parent / "other"
    other.mkdir()

    def opened(act: Callable[[Repository], object]) -> Callable[[], object]:
        def run() -> str:
            repo = Repository.open(root, actor="ana")
            try:
                return type(act(repo)).__name__
            finally:
                repo.close()

        return run

    def fetched() -> str:
        new = Bench(root.parent / "new")
        add_remote(new.repo, "origin", root)
        fetch(new.repo)
        return "fetched"

    steps: list[Step] = [
        ("status", opened(status)), ("log", opened(log)), ("show", opened(lambda repo: show(repo, "evil"))),
        ("diff", opened(lambda repo: diff(repo, "HEAD", "evil"))),
        ("restore", opened(lambda repo: restore(repo, rev="evil", to=other, force=True))),
        ("switch", opened(lambda repo: switch(repo, "evil"))),
        ("fsck", opened(fsck)), ("fetch", fetched),
        ("clone", lambda: clone(root, root.parent / "copy", actor="ben")),
        ("repair", opened(repair)),
    ]  # fmt: skip
    # who asks for every byte to be checked waits for every byte
    return steps[:6] if name.startswith(("blob: ", "pack: a terabyte", "packs: ")) else steps
