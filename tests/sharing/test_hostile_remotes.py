"""A remote may be damaged, lie, or go back in time: nothing here is hurt, and nothing wrong is taken in."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mlver.errors import Damaged, MlverError, Refused, RemoteError, UsageError
from mlver.objects.commit import Commit
from mlver.objects.encoding import encode
from mlver.objects.ids import CommitId, FactBatchId, OperationId
from mlver.objects.state import Live, Move, Operation, View
from mlver.objects.tree import Entry, Tree
from mlver.repo.head import read_head, slot_bytes, swap_head
from mlver.repo.repository import Repository
from mlver.storage.local import LocalStorage
from mlver.verbs.alerts import add_alert
from mlver.verbs.clone import clone
from mlver.verbs.fetch import fetch
from mlver.verbs.promote import promote
from mlver.verbs.push import push
from mlver.verbs.remote import add_remote, remove_remote
from tests.sharing.kit import START, Team, shared, sound


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = Team(tmp_path)
    promote(team.ana.repo, "prod", reason="v1")
    add_alert(team.ana.repo, "null", id="A1", at=START, severity="warn")
    push(team.ana.repo)
    return team


def test_one_flipped_bit_anywhere_is_found_or_changes_nothing(team: Team) -> None:
    hub, before = team.folder / "hub", shared(team.hub.view)
    kept = ("packs", "ops", "head.0", "head.1")
    files = sorted(p for p in hub.rglob("*") if p.is_file() and p.relative_to(hub).parts[0] in kept)
    rnd, refused = random.Random(7), 0
    for number in range(60):
        path = files[number % len(files)]
        whole = path.read_bytes()
        spoilt = bytearray(whole)
        spoilt[rnd.randrange(len(whole))] ^= 1 << rnd.randrange(8)
        path.chmod(0o644)
        path.write_bytes(spoilt)
        new = team.bench(f"new{number}")
        add_remote(new.repo, "origin", hub)
        state = new.repo.state.id
        try:
            fetch(new.repo)
        except (Damaged, RemoteError) as error:
            refused += 1
            assert "origin" in error.message or str(hub) in error.message
            assert new.repo.refresh() and new.repo.state.id == state
        else:
            now = new.repo.refresh()
            assert (now.tags, now.facts) == (before.tags, before.facts)
            assert now.remotes["origin"].branches == before.branches
        sound(new.repo)
        path.write_bytes(whole)
        shutil.rmtree(new.root)
    assert refused > 20


def test_a_file_cut_short_is_found(team: Team) -> None:
    for path in sorted((team.folder / "hub/packs").iterdir()):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:120])
    new = team.bench("new")
    add_remote(new.repo, "origin", team.folder / "hub")
    with pytest.raises(Damaged, match="origin"):
        fetch(new.repo)
    with pytest.raises(Damaged):
        clone(team.folder / "hub", team.folder / "copy", actor="x", clock=team.clock)
    with pytest.raises(UsageError, match="not a mlver repository"):
        Repository.open(team.folder / "copy")
    sound(new.repo)


def _spoil(path: Path, how: str) -> None:
    if how == "endless":
        path.chmod(0o644)
        os.truncate(path, 1 << (28 if path.parent.name == "packs" else 36))  # a hole: no memory holds it
        return
    path.unlink()
    if how == "a pipe":
        os.mkfifo(path)
    elif how == "a link":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


@pytest.mark.parametrize("how", ["endless", "a pipe", "a link", "a folder"])
@pytest.mark.parametrize("what", ["head.0", "head.1", "ops", "packs"])
def test_what_is_no_file_of_ours_is_refused_or_passed_by(team: Team, what: str, how: str) -> None:
    add_alert(team.ana.repo, "null", id="A2", at=START, severity="warn")
    push(team.ana.repo)
    hub, before = team.folder / "hub", shared(team.hub.view)
    newest = f"ops/{read_head(LocalStorage(hub)).id}"
    path = {"ops": hub / newest, "packs": min((hub / "packs").iterdir())}.get(what, hub / what)
    _spoil(path, how)
    new = team.bench("new")
    add_remote(new.repo, "origin", hub)
    state = new.repo.state.id
    try:
        fetch(new.repo)
    except (Damaged, RemoteError) as error:
        assert "origin" in error.message or str(hub) in error.message
        assert new.repo.refresh() and new.repo.state.id == state
    else:
        assert (what, how) == ("packs", "endless") or (how != "endless" and what.startswith("head"))  # the other slot
        assert new.repo.refresh().facts == before.facts
    with suppress(MlverError):
        clone(hub, team.folder / "copy", actor="x", clock=team.clock)
    sound(new.repo)


def planted(team: Team, **words: object) -> None:
    """Make the hub say what no mlver would: one more operation with another view."""
    storage = LocalStorage(team.folder / "hub")
    head = read_head(storage)
    view = replace(head.operation.view, **words.pop("view", {}))  # type: ignore[arg-type]
    operation = Operation(head.operation.number + 1, head.id, START, "eve", "hack", view, **words)  # type: ignore[arg-type]
    data = encode(operation)
    storage.create(f"ops/{OperationId.of(data)}", data)
    key = f"head.{operation.number % 2}"
    now = storage.read(key) if storage.exists(key) else None
    assert storage.compare_and_swap(key, now, slot_bytes(operation.number, OperationId.of(data)))


NOWHERE = CommitId(b"\x07" * 32)
LIVE = Live(NOWHERE, START, "eve", "", "promote")
LIES = {
    "a stage that leaves its folder": {"view": {"stages": {"..": {"": LIVE}}}},
    "a scope that leaves its folder": {"view": {"stages": {"prod": {"../../x": LIVE}}}},
    "a release that is a path": {"view": {"stages": {"prod": {"": replace(LIVE, release="../../../etc")}}}},
    "a branch named like HEAD": {"view": {"branches": {"HEAD": NOWHERE}}},
    "a branch nobody has": {"view": {"branches": {"main": NOWHERE}}},
    "a move of a stage with a slash": {"joined": (Move(OperationId(b"\x01" * 32), "a/b", "", LIVE, START, "eve"),)},
    "a move to a commit nobody has": {"joined": (Move(OperationId(b"\x01" * 32), "dev", "", LIVE, START, "eve"),)},
    "facts nobody has": {"view": {"facts": FactBatchId(b"\x08" * 32)}},
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_remote_says_wrongly_is_refused(team: Team, lie: str) -> None:
    ben = team.clone("ben")
    state = ben.repo.state.id
    planted(team, **LIES[lie])
    with pytest.raises(Damaged, match="origin"):
        fetch(ben.repo)
    assert ben.repo.refresh() and ben.repo.state.id == state
    with suppress(MlverError):
        push(ben.repo)
    sound(ben.repo)


@pytest.mark.parametrize("name", ["..", ".mlver", "a/b", ".GIT"])
def test_a_tree_with_a_name_that_leaves_is_refused(team: Team, name: str) -> None:
    ben = team.clone("ben")
    hub = team.hub
    with hub.store.session() as session:
        blob = session.put_bytes(b"#!")
        tree = session.put_object(Tree((Entry(name, "blob", "file", blob, 2),)))
        old = hub.commit(hub.view.branches["main"])
        commit = session.put_object(Commit(tree, (hub.view.branches["main"],), "eve", old.time, "x"))
        session.finish()
    planted(team, view={"branches": {"main": commit}})
    with pytest.raises(Damaged, match="origin: tree"):
        fetch(ben.repo)
    assert ben.repo.resolve("origin/main") != commit


def test_a_tree_that_says_a_wrong_size_is_refused(team: Team) -> None:
    ben, hub = team.clone("ben"), team.hub
    with hub.store.session() as session:
        blob = session.put_bytes(b"12345")
        tree = session.put_object(Tree((Entry("x", "blob", "file", blob, 6),)))
        commit = session.put_object(Commit(tree, (), "eve", START, "x"))
        session.finish()
    planted(team, view={"tags": {"t": commit}})
    with pytest.raises(Damaged, match="wrong size"):
        fetch(ben.repo)


def test_a_remote_that_went_back_is_refused_until_somebody_says_so(team: Team) -> None:
    shutil.copytree(team.folder / "hub", team.folder / "backup")
    add_alert(team.ana.repo, "null", id="A2", at=START, severity="warn")
    push(team.ana.repo)
    shutil.rmtree(team.folder / "hub")
    (team.folder / "backup").rename(team.folder / "hub")
    for verb in (fetch, push):
        with pytest.raises(Refused, match=r"origin was at operation 2 .* and is at 1 now"):
            verb(team.ana.repo)
    remove_remote(team.ana.repo, "origin")
    add_remote(team.ana.repo, "origin", team.folder / "hub")
    push(team.ana.repo)
    assert shared(team.hub.view) == shared(team.ana.repo.refresh())


def test_another_repository_in_its_place_is_refused(team: Team) -> None:
    shutil.rmtree(team.folder / "hub")
    other, _ = Repository.init(team.folder / "hub", actor="eve", clock=team.clock, bare=True)
    storage = other.storage
    for _ in range(3):
        head = read_head(storage)
        swap_head(storage, head, Operation(head.operation.number + 1, head.id, START, "eve", "x", View()))
    with pytest.raises(Refused, match="has another one of that number"):
        fetch(team.ana.repo)


def test_an_empty_folder_where_a_repository_was_is_not_filled(team: Team) -> None:
    shutil.rmtree(team.folder / "hub")
    (team.folder / "hub").mkdir()
    with pytest.raises(RemoteError, match=r"is no repository, and was at operation 1") as gone:
        push(team.ana.repo)
    assert gone.value.hint == "is the disk mounted?"
    assert list((team.folder / "hub").iterdir()) == []
    shutil.rmtree(team.folder / "hub")
    with pytest.raises(RemoteError, match="no such folder"):
        push(team.ana.repo)


def test_a_damaged_object_here_is_not_sent(team: Team) -> None:
    team.ana.write("data/more.csv", "id,x\n" + "7,8\n" * 9)
    team.ana.commit("more")
    newest = max((team.ana.root / ".mlver/packs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(newest.read_bytes())
    data[100] ^= 1
    newest.chmod(0o644)
    newest.write_bytes(data)
    with pytest.raises(Damaged):
        push(team.ana.repo)
    sound(team.hub)


def test_a_stage_there_that_is_a_branch_here_is_refused(team: Team) -> None:
    from mlver.verbs.branch import set_ref

    new = team.bench("new")
    new.write("x", "1")
    new.commit("x")
    set_ref(new.repo, "branch", "prod")
    add_remote(new.repo, "origin", team.folder / "hub")
    with pytest.raises(Refused, match="prod is a branch"):
        fetch(new.repo)
    sound(new.repo)


def test_settings_and_hooks_of_a_remote_do_not_come_along(team: Team) -> None:
    (team.folder / "hub/config.toml").write_text('author = "eve"\n')
    (team.folder / "hub/hooks").mkdir()
    (team.folder / "hub/hooks/post-fetch").write_text("#!/bin/sh\ntouch /tmp/owned\n")
    ben = team.clone("ben")
    assert ben.repo.settings.get("author") is None
    assert not (ben.root / ".mlver/hooks").exists()
