"""Verify names whatever is not as it was signed: any object, any operation; in copies of the repository too."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import Damaged
from mlver.objects.commit import Commit
from mlver.objects.ids import BlobId, ObjectId
from mlver.repo.repository import Repository
from mlver.store.frames import NAMES, type_of
from mlver.store.scan import scan
from mlver.verbs.branch import delete_ref, set_ref, switch
from mlver.verbs.clone import clone
from mlver.verbs.fetch import fetch
from mlver.verbs.gc import gc
from mlver.verbs.promote import promote
from mlver.verbs.pull import pull
from mlver.verbs.verify import verify
from tests.cli.conftest import Terminal, mlver  # noqa: F401 - a fixture
from tests.signatures.kit import Keys, Signed, needs_ssh

pytestmark = needs_ssh


def damage(bench: Signed, id: ObjectId) -> None:
    """Change one byte of an object where it lies."""
    place = bench.repo.store.index.find(type_of(id), id)[0]
    path = next((bench.root / ".mlver/packs").rglob(f"{place.pack}*"))
    data = bytearray(path.read_bytes())
    data[(place.row.offset + place.row.end) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def objects_of(bench: Signed) -> dict[str, ObjectId]:
    """One object of each type that the signature of HEAD rests on, by what it hurts."""
    head = bench.repo.view.head
    assert head is not None
    commit: Commit = bench.repo.commit(head)
    snapshot = bench.repo.snapshot(head)
    assert commit.environment is not None
    return {
        "HEAD": head,
        "HEAD: train.py": snapshot["train.py"].id,
        "HEAD: environment": commit.environment,
        "HEAD: lineage of models/m.bin": commit.derivations["models/m.bin"],
    }


@pytest.mark.parametrize("hurts", ["HEAD", "HEAD: train.py", "HEAD: environment", "HEAD: lineage of models/m.bin"])
def test_a_changed_object_is_named_with_what_it_hurts(live: Signed, hurts: str) -> None:
    id = objects_of(live)[hurts]
    damage(live, id)
    live.reopen()
    result = verify(live.repo)
    assert not result.ok
    assert any(wrong.what == f"{id.type_name} {id}" and hurts in wrong.hurts for wrong in result.damage)


def test_whichever_object_is_changed_is_named(live: Signed) -> None:
    seen = set()
    for key in live.repo.storage.list("packs"):
        path = live.root / ".mlver" / key
        whole = path.read_bytes()
        path.chmod(0o644)
        for row in scan(live.repo.storage, path.stem):
            data = bytearray(whole)
            data[(row.offset + row.end) // 2] ^= 1
            path.write_bytes(data)
            result = verify(live.reopen(), every=True)
            seen.add(NAMES[row.type])
            assert not result.ok and any(row.id.hex() in wrong.what for wrong in result.damage), NAMES[row.type]
        path.write_bytes(whole)
    assert seen == {"blob", "tree", "commit", "derivation", "environment", "facts"}
    assert verify(live.reopen(), every=True).ok


def test_a_missing_file_is_named(live: Signed) -> None:
    id = live.repo.snapshot(live.repo.resolve("HEAD"))["mlver.toml"].id
    assert isinstance(id, BlobId)
    for path in (live.root / ".mlver/packs").rglob("*"):
        if path.is_file() and id in path.read_bytes():
            path.unlink()
    live.reopen()
    result = verify(live.repo)
    assert not result.ok and any("HEAD: mlver.toml" in wrong.hurts for wrong in result.damage)


def test_every_operation_that_is_changed_or_gone_is_named(live: Signed) -> None:
    log = [id for id, _ in live.repo.operations()]
    for id in log[1:]:
        path = live.root / ".mlver/ops" / id.hex()
        whole = path.read_bytes()
        path.chmod(0o644)
        for broken in (whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:], None):
            path.unlink() if broken is None else path.write_bytes(broken)
            live.reopen()
            result = verify(live.repo, ["prod"])
            assert not result.ok and any(id.short in wrong.detail for wrong in result.damage)
        path.write_bytes(whole)
    live.reopen()
    assert verify(live.repo, ["prod"]).ok
    newest = live.root / ".mlver/ops" / log[0].hex()
    newest.chmod(0o644)
    newest.write_bytes(b"{}")
    with pytest.raises(Damaged, match=f"operation {log[0].short}"):
        live.reopen()


def test_signatures_go_with_clone_fetch_and_pull(live: Signed, tmp_path: Path) -> None:
    clone(live.root, tmp_path / "copy", actor="bob", clock=live.clock)
    copy = Repository.open(tmp_path / "copy", actor="bob", clock=live.clock)
    assert verify(copy, ["prod"]).ok
    live.signed("more")
    promote(live.repo, "prod", sign=True)
    fetch(copy)
    pull(copy)
    result = verify(copy, ["prod", "HEAD"])
    assert result.ok and [row.seal.by for row in result.rows] == ["ana", "ana", "ana"]
    assert verify(copy, every=True).ok


def test_a_signature_alone_keeps_no_experiment_from_gc(clinic: Signed) -> None:
    set_ref(clinic.repo, "branch", "try", "HEAD")
    switch(clinic.repo, "try")
    tried = clinic.signed("a try")
    switch(clinic.repo, "main")
    delete_ref(clinic.repo, "branch", "try")
    clinic.signed("the way on")
    gc(clinic.repo, grace="0")
    assert not clinic.reopen().knows(tried)
    assert verify(clinic.repo).ok and verify(clinic.repo, every=True).ok


def test_what_the_command_says_and_how_it_ends(keys: Keys, tmp_path: Path, mlver: Terminal) -> None:  # noqa: F811
    clinic = Signed(tmp_path / "w", keys)
    clinic.signed("two")
    unsigned = mlver("verify", "HEAD~1")
    assert unsigned.code == 1 and "ana: unsigned" in unsigned.out
    assert "\nnot verified: 1 commit (1 unsigned)" in unsigned.out
    held = mlver("verify", "HEAD")
    assert held.code == 0 and "ana: signed by ana" in held.out and "\nverified: 2 commits" in held.out
    assert all(len(line) <= 80 for line in (unsigned.out + held.out).splitlines())
    assert mlver("promote", "prod", "-S", "--reason", "good").code == 0
    assert "signed by ana" in mlver("deployed", "prod", "--history").out
    assert "signed by ana" in mlver("deployed", "prod").out
    assert "signed: by ana" in mlver("show").out and "signed: by ana" in mlver("log").out
    answer = mlver("verify", "prod", "--json")
    assert answer.code == 0 and answer.json["schema"] == "mlver.verify/v1"
    assert [row["action"] for row in answer.json["rows"]] == ["commit", "promote"]
    assert mlver("verify", "--all", "HEAD").code == 2 and mlver("verify", "nosuch").code == 2
    (tmp_path / "w/config/pipeline.json").write_text("{}")
    assert mlver("commit", "-S", "-m", "three", "-q").code == 0 and mlver("verify", "-q").out == ""
