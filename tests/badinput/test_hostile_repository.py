"""A repository made by somebody who wants to harm: right hashes, wrong contents. Damage is said, nothing gets out."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import Damaged, Refused
from mlver.objects.commit import Commit
from mlver.objects.encoding import encode
from mlver.objects.ids import BlobId, CommitId, DerivationId, EnvironmentId, FactBatchId, OperationId, TreeId
from mlver.objects.state import Live, Operation, View
from mlver.repo.head import read_log, slot_bytes
from mlver.repo.releases import settle
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.store.frames import TYPES
from mlver.verbs.blame import blame
from mlver.verbs.diff import diff
from mlver.verbs.fsck import fsck
from mlver.verbs.lineage import lineage
from mlver.verbs.log import log
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote, rollback
from mlver.verbs.restore import restore
from mlver.verbs.show import show
from mlver.verbs.status import status
from mlver.verbs.switch import switch
from mlver.verbs.undo import op_log, undo
from tests.badinput.kit import everything, mlver, one_line, refused, small
from tests.kit import Bench

NAMES: dict[str, list[str]] = {
    "up": [".."], "here": ["."], "empty": [""], "absolute": ["/etc/x"], "inside": ["a/../../x"], "nul": ["a\0b"],
    "git": [".git"], "mlver": [".MLVER"], "short": ["git~1"], "stream": [".git::$INDEX"], "backslash": ["..\\x"],
    "twice": ["a", "a"], "unsorted": ["b", "a"], "long": ["a" * 300],
}  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return small(tmp_path / "w")


def rows(*entries: list[Any]) -> bytes:
    return json.dumps({"entries": entries}, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def branch_to(bench: Bench, tree: bytes) -> CommitId:
    """Make the branch `evil` whose root folder is `tree`, whatever these bytes are."""
    with bench.repo.store.session() as session:
        id = TreeId.of(tree)
        session._put(TYPES["tree"], id, tree)
        commit = session.put_object(Commit(id, (bench.repo.resolve("HEAD"),), "eve", bench.clock(), "evil"))
        session.finish()
    transact(bench.repo, "evil", lambda view: replace(view, branches={**view.branches, "evil": commit}))
    return commit


def looks(repo: Repository, rev: str, out: Path) -> list[Callable[[], object]]:
    """Every verb that reads the files of `rev`."""
    return [
        lambda: show(repo, rev),
        lambda: diff(repo, "HEAD", rev),
        lambda: restore(repo, rev=rev, force=True),
        lambda: restore(repo, rev=rev, to=out),
        lambda: switch(repo, rev),
        lambda: promote(repo, "prod", rev),
        lambda: blame(repo, rev),
        lambda: lineage(repo, rev),
    ]


def harmless(bench: Bench, tmp_path: Path, *, damaged: bool) -> None:
    """Every verb on `evil` is refused as damaged (or works, when it is not), and nothing outside of `w` changes."""
    work = {path: data for path, data in everything(bench.root).items() if "/.mlver" not in path}
    for number, look in enumerate(looks(bench.repo, "evil", tmp_path / "w/copy")):
        try:
            look()
            assert not damaged, number
        except (Damaged, Refused) as error:
            assert one_line(error)
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
    if damaged:
        assert {p: data for p, data in everything(bench.root).items() if "/.mlver" not in p} == work
    assert fsck(bench.repo).ok is not damaged


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_a_tree_with_a_hostile_name_is_never_written_out(bench: Bench, tmp_path: Path, names: list[str]) -> None:
    blob = bench.repo.head_snapshot()["data/t.csv"]
    branch_to(bench, rows(*([name, "blob", "file", blob.id.hex(), blob.size] for name in names)))
    harmless(bench, tmp_path, damaged=True)
    (problem,) = fsck(bench.repo).problems
    assert problem.what.startswith("tree ") and any("evil" in hurt for hurt in problem.hurts)


BLOB = "BLOB"
TREES: dict[str, bytes] = {
    "no JSON": b"{",
    "another form": b"[]",
    "an unknown field": b'{"entries":[],"x":1}',
    "not canonical": b'{"entries": []}',
    "a key twice": b'{"entries":[],"entries":[]}',
    "deep": b"[" * 100_000,
    "NaN": b'{"entries":NaN}',
    "not UTF-8": b'{"entries":["\xff"]}',
    "half a surrogate": rows(["\ud800", "blob", "file", "0" * 64, 1]),
    "a missing tree": rows(["a", "tree", "", "0" * 64, 1]),
    "an unknown type": rows(["a", "exe", "file", "0" * 64, 1]),
    "a negative size": rows(["a", "blob", "file", "0" * 64, -1]),
    "a broken id": rows(["a", "blob", "file", "zz", 1]),
    "a short row": rows(["a", "blob"]),
    "an id of another type": rows(["a", "tree", "", BlobId.of(b"x").hex(), 1]),
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_malformed_tree_is_damage_and_fsck_says_which(bench: Bench, tmp_path: Path, tree: bytes) -> None:
    branch_to(bench, tree)
    harmless(bench, tmp_path, damaged=True)


def test_a_missing_blob_is_said_by_whoever_needs_its_bytes(bench: Bench, tmp_path: Path) -> None:
    branch_to(bench, rows(["a", "blob", "model", "0" * 64, 1]))
    *needing, _, _ = looks(bench.repo, "evil", tmp_path / "w/copy")  # blame and lineage do not
    for look in needing:
        with refused(bench.root / "data", Damaged, "0" * 64):
            look()
    (problem,) = fsck(bench.repo).problems
    assert problem.what == f"blob {'0' * 64}" and [hurt.endswith(": a") for hurt in problem.hurts] == [True]


def test_a_blob_cannot_pass_for_a_tree(bench: Bench, tmp_path: Path) -> None:
    inner = rows(["x", "blob", "file", "0" * 64, 1])
    with bench.repo.store.session() as session:
        blob = session.put_bytes(inner)
        session.finish()
    branch_to(bench, rows(["a", "tree", "", blob.hex(), 1]))
    harmless(bench, tmp_path, damaged=True)


def test_a_size_that_lies_costs_nothing_and_fsck_says_so(bench: Bench, tmp_path: Path) -> None:
    blob = bench.repo.head_snapshot()["data/t.csv"]
    branch_to(bench, rows(["t.csv", "blob", "data", blob.id.hex(), 10**15]))
    restore(bench.repo, rev="evil", to=tmp_path / "w/copy")
    assert (tmp_path / "w/copy/t.csv").read_bytes() == (bench.root / "data/t.csv").read_bytes()
    (problem,) = fsck(bench.repo).problems
    assert problem.detail == "says a wrong size"


def test_a_link_in_a_tree_never_leads_a_write_outside(bench: Bench, tmp_path: Path) -> None:
    target = (tmp_path / "outside").as_posix().encode()
    with bench.repo.store.session() as session:
        text, data = session.put_bytes(target), session.put_bytes(b"gotcha")
        session.finish()
    below = rows(["x", "blob", "file", data.hex(), 6])
    with bench.repo.store.session() as session:
        session._put(TYPES["tree"], TreeId.of(below), below)
        session.finish()
    # first a link, then (in the next commit) a folder of the same name with a file in it
    branch_to(bench, rows(["a", "link", "file", text.hex(), len(target)]))
    switch(bench.repo, "evil")
    assert os.readlink(bench.root / "a") == target.decode()
    commit = branch_to(bench, rows(["a", "tree", "", TreeId.of(below).hex(), 6]))
    for act in (
        lambda: restore(bench.repo, rev=str(commit), force=True),
        lambda: restore(bench.repo, ["a/x"], rev=str(commit), force=True),
    ):
        try:
            act()
        except Refused as error:
            assert one_line(error)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("text", [b"", b"x" * 5000, b"a\0b"], ids=["empty", "giant", "nul"])
def test_a_link_no_system_could_hold_is_refused(bench: Bench, tmp_path: Path, text: bytes) -> None:
    with bench.repo.store.session() as session:
        blob = session.put_bytes(text)
        session.finish()
    branch_to(bench, rows(["a", "link", "file", blob.hex(), len(text)]))
    with pytest.raises(Refused):
        restore(bench.repo, rev="evil", to=tmp_path / "w/copy")


COMMITS: dict[str, dict[str, Any]] = {
    "parent": {"parents": (CommitId(b"\1" * 32),)},
    "environment": {"environment": EnvironmentId(b"\1" * 32)},
    "derivation": {"derivations": {"data/t.csv": DerivationId(b"\1" * 32)}},
    "tree": {"tree": TreeId(b"\1" * 32)},
}


@pytest.mark.parametrize("what", COMMITS)
def test_a_commit_that_names_what_is_missing_is_said_by_every_verb_that_needs_it(bench: Bench, what: str) -> None:
    head = bench.repo.commit(bench.repo.resolve("HEAD"))
    with bench.repo.store.session() as session:
        evil = session.put_object(replace(head, **COMMITS[what]))
        session.finish()
    transact(bench.repo, "evil", lambda view: replace(view, branches={**view.branches, "main": evil}))
    said = 0
    for look in (
        lambda: log(bench.repo),
        lambda: show(bench.repo),
        lambda: status(bench.repo),
        lambda: blame(bench.repo, "HEAD"),
        lambda: diff(bench.repo, "HEAD"),
        lambda: lineage(bench.repo, "HEAD"),
    ):
        try:
            look()
        except Damaged as error:
            said += "01010101" in error.message and one_line(error)
    assert said
    report = fsck(bench.repo)
    named = "commit" if what == "parent" else what
    assert [problem.what for problem in report.problems] == [f"{named} {'01' * 32}"]
    assert mlver(bench.root, "fsck").returncode == 5


# -- the operation log ------------------------------------------------------------------------------


def plant(bench: Bench, operation: Operation) -> None:
    """Make an operation the newest one, as somebody who may write the files could."""
    data = encode(operation)
    id = OperationId.of(data)
    (bench.root / ".mlver/ops" / id.hex()).write_bytes(data)
    slot = bench.root / f".mlver/head.{operation.number % 2}"
    slot.unlink(missing_ok=True)
    slot.write_bytes(slot_bytes(operation.number, id))


def following(bench: Bench, view: View | None = None, **words: Any) -> Operation:
    state = bench.repo.state
    base = replace(state.operation, number=state.operation.number + 1, parent=state.id, view=view or bench.repo.view)
    return replace(base, **words)


def live(bench: Bench, release: str | None = "0" * 16) -> Live:
    return Live(bench.repo.resolve("HEAD"), datetime(2024, 4, 1, tzinfo=UTC), "eve", "", "promote", release)


VIEWS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "a branch": lambda b: {"branches": {**b.repo.view.branches, "../../x": b.repo.view.head}},
    "a branch with an escape": lambda b: {"branches": {**b.repo.view.branches, "a\n\x1b[31m": b.repo.view.head}},
    "a tag": lambda b: {"tags": {"/etc/x": b.repo.view.head}},
    "a stage": lambda b: {"stages": {"../../evil": {"": live(b)}}},
    "an absolute stage": lambda b: {"stages": {f"{b.root.parent}/evil": {"": live(b)}}},
    "a scope": lambda b: {"stages": {"prod": {"../../../evil": live(b)}}},
    "a release": lambda b: {"stages": {"prod": {"": live(b, "../../../..")}}},
}


@pytest.mark.parametrize("what", VIEWS)
def test_a_name_in_a_view_that_would_lead_outside_is_damage(bench: Bench, tmp_path: Path, what: str) -> None:
    plant(bench, following(bench, replace(bench.repo.view, **VIEWS[what](bench))))
    with refused(tmp_path, Damaged, "operation "):
        bench.reopen()
    for act in (lambda: settle(bench.repo), lambda: promote(bench.repo, "prod"), lambda: bench.commit("x")):
        with refused(bench.root / "data", Damaged):
            act()
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


LOGS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "a missing parent": lambda b: {"parent": OperationId(b"\1" * 32)},
    "a number that jumps": lambda b: {"number": b.repo.state.operation.number + 7},
    "no parent": lambda b: {"parent": None},
    "an undone operation that is missing": lambda b: {"undoes": OperationId(b"\1" * 32)},
}


@pytest.mark.parametrize("what", LOGS)
def test_an_operation_log_that_does_not_hang_together_is_damage(bench: Bench, what: str) -> None:
    plant(bench, following(bench, **LOGS[what](bench)))
    said = 0
    for act in (
        bench.reopen,
        lambda: op_log(bench.repo),
        lambda: undo(bench.repo),
        lambda: bench.repo.resolve("HEAD@{1}"),
    ):
        try:
            act()
        except Damaged as error:
            said += "operation" in error.message and one_line(error)
    assert said
    assert mlver(bench.root, "fsck").returncode == 5


def test_a_cycle_of_operations_would_need_a_broken_hash_and_still_ends(bench: Bench) -> None:
    first, second = OperationId(b"\1" * 32), OperationId(b"\2" * 32)
    state = replace(bench.repo.state.operation, number=7)
    cycle = {first: replace(state, parent=second), second: replace(state, parent=first)}
    with pytest.raises(Damaged, match="number 7"):
        list(read_log(bench.repo.storage, first, cycle[first], cycle))


def test_the_newest_operation_lost_is_said_by_fsck_though_nothing_else_opens(bench: Bench) -> None:
    (bench.root / ".mlver/ops" / bench.repo.state.id.hex()).unlink()
    for words in (["status"], ["log"], ["commit", "-m", "x"]):
        assert mlver(bench.root, *words).returncode == 5
    done = mlver(bench.root, "fsck")
    assert done.returncode == 5 and b"is missing" in done.stdout and b"the newest state" in done.stdout


def test_the_fact_log_named_by_a_view_may_be_missing(bench: Bench) -> None:
    plant(bench, following(bench, replace(bench.repo.view, facts=FactBatchId(b"\1" * 32))))
    bench.reopen()
    assert len(log(bench.repo).commits) == 2
    with refused(bench.root, Damaged, "01010101"):
        add_note(bench.repo, "HEAD", "x")
    assert not fsck(bench.repo).ok


# -- what a rollback needs is gone -------------------------------------------------------------------


def model_in_its_own_pack(bench: Bench) -> Path:
    """Write a model of several chunks, store it, and return the pack that holds nothing else."""
    data = os.urandom(300_000)
    with bench.repo.store.session() as session:
        session.put_stream(io.BytesIO(data))
        (name,) = session.finish()
    bench.write("models/m.bin", data)
    return bench.root / f".mlver/packs/{name}.pack"


@pytest.mark.parametrize("lost", ["the release and the pack", "one chunk"])
def test_a_rollback_to_what_is_missing_is_refused_before_anything_moves(bench: Bench, lost: str) -> None:
    pack = model_in_its_own_pack(bench)
    bench.commit("good")
    promote(bench.repo, "prod")
    bench.write("models/m.bin", b"small")
    bench.commit("bad")
    promote(bench.repo, "prod")
    store = bench.root / ".mlver/releases/.store"
    current = os.readlink(bench.root / ".mlver/releases/prod/all/current").rpartition("/")[2]
    for path in store.iterdir():
        if path.name != "lock" and not path.name.startswith(current):
            for file in sorted(path.rglob("*"), reverse=True) if path.is_dir() else []:
                file.unlink() if not file.is_dir() else file.rmdir()
            path.rmdir() if path.is_dir() else path.unlink()
    if lost == "one chunk":
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        data[150_000] ^= 1
        pack.write_bytes(bytes(data))
    else:
        pack.unlink()
    bench.reopen()
    with refused(bench.root, Damaged):
        rollback(bench.repo, "prod")
    assert bench.reopen().view.stages["prod"][""].commit == bench.repo.resolve("HEAD")


def test_a_restore_of_what_is_missing_is_refused_before_anything_is_written(bench: Bench) -> None:
    bench.write("data/a.csv", "id,x\n1,1\n")
    pack = model_in_its_own_pack(bench)
    bench.commit("good")
    bench.write("data/a.csv", "id,x\n1,2\n")
    bench.write("models/m.bin", b"small")
    bench.commit("bad")
    kept = pack.rename(bench.root.parent / "kept.pack")
    bench.reopen()
    with refused(bench.root, Damaged, "models/m.bin", "nothing was written"):
        restore(bench.repo, rev="HEAD~1")
    kept.rename(pack)
    bench.reopen()
    assert restore(bench.repo, rev="HEAD~1").bytes_written > 300_000
