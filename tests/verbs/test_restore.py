"""Old files come back whole, and work that is not committed is never lost for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlver.errors import Damaged, LocalIO, Refused, UnknownRevision, UsageError
from mlver.objects.commit import Derivation, Used
from mlver.objects.ids import BlobId
from mlver.repo import worktree
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.verbs.clone import clone
from mlver.verbs.restore import restore
from mlver.verbs.status import status
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Three commits: config and rules change together, `old/notes.txt` goes, `new/x.txt` comes."""
    bench = Bench(tmp_path / "clinic")
    bench.write("config/pipeline.json", {"impute": "median"})
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.write("models/triage.joblib", b"model one")
    bench.write("old/deep/notes.txt", "gone soon\n")
    bench.commit("v1")
    bench.write("config/pipeline.json", {"impute": "-1"})
    bench.write("rules/rules.json", [{"id": "R2", "then": "refer"}])
    bench.write("models/triage.joblib", b"model two")
    bench.write("new/x.txt", "x\n")
    os.unlink(bench.root / "old/deep/notes.txt")
    bench.commit("v2")
    return bench


def files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file() and ".mlver" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def test_what_a_sound_cache_does_not_know_is_not_missing(bench: Bench) -> None:
    bench.repo.close()
    with sqlite3.connect(bench.root / ".mlver/cache/objects.db") as db:
        assert db.execute("UPDATE objects SET id = CAST(substr(id, 1, 31) || x'00' AS BLOB) WHERE type = 1").rowcount
    db.close()
    repo = Repository.open(bench.root)
    restore(repo, rev="HEAD~1")
    repo.close()
    assert files(bench.root)["models/triage.joblib"] == b"model one"


def test_a_whole_snapshot_comes_back_byte_for_byte(bench: Bench) -> None:
    second = files(bench.root)
    result = restore(bench.repo, rev="HEAD~1")
    first = files(bench.root)
    assert first["models/triage.joblib"] == b"model one" and "new/x.txt" not in first
    assert first["old/deep/notes.txt"] == b"gone soon\n"
    assert {(c.path, c.change) for c in result.changes} == {
        ("config/pipeline.json", "modified"),
        ("rules/rules.json", "modified"),
        ("models/triage.joblib", "modified"),
        ("old/deep/notes.txt", "added"),
        ("new/x.txt", "removed"),
    }
    assert result.bytes_written == sum(len(first[p]) for p in first if first[p] != second.get(p))
    assert bench.repo.view.head == bench.repo.resolve("main")  # neither HEAD nor the branch moved
    restore(bench.repo)
    # what only v1 had is no file of HEAD's, so it is not HEAD's to remove
    assert files(bench.root) == second | {"old/deep/notes.txt": b"gone soon\n"}


def test_folders_left_empty_go_and_others_stay(bench: Bench) -> None:
    restore(bench.repo, rev="HEAD~1")
    assert not (bench.root / "new").exists()
    restore(bench.repo)
    (bench.root / "new/own").mkdir()
    restore(bench.repo, rev="HEAD~1")
    assert (bench.root / "new/own").is_dir()


def test_files_that_are_right_are_not_written_again(bench: Bench) -> None:
    before = os.stat(bench.root / "models/triage.joblib")
    result = restore(bench.repo)
    assert result.changes == () and result.bytes_written == 0
    after = os.stat(bench.root / "models/triage.joblib")
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_uncommitted_work_is_named_and_kept(bench: Bench) -> None:
    bench.write("config/pipeline.json", {"impute": "knn"})
    before = files(bench.root)
    with pytest.raises(Refused, match=r"config/pipeline\.json") as caught:
        restore(bench.repo, rev="HEAD~1")
    assert "-f" in str(caught.value.hint)
    assert files(bench.root) == before
    restore(bench.repo, rev="HEAD~1", force=True)
    assert b"median" in files(bench.root)["config/pipeline.json"]


def test_an_untracked_file_in_the_way_is_named_and_kept(bench: Bench) -> None:
    bench.write("old/deep/notes.txt", "mine\n")
    with pytest.raises(Refused, match=r"old/deep/notes\.txt"):
        restore(bench.repo, rev="HEAD~1")
    assert (bench.root / "old/deep/notes.txt").read_text() == "mine\n"


def test_work_in_a_file_that_would_be_removed_is_kept(bench: Bench) -> None:
    bench.write("new/x.txt", "edited\n")
    with pytest.raises(Refused, match=r"new/x\.txt"):
        restore(bench.repo, rev="HEAD~1")
    assert (bench.root / "new/x.txt").read_text() == "edited\n"


def test_bytes_of_an_older_commit_are_nobodys_unsaved_work(bench: Bench) -> None:
    bench.write("config/pipeline.json", {"impute": "knn"})
    bench.commit("v3")
    restore(bench.repo, rev="HEAD~2")
    restore(bench.repo, rev="HEAD~1")  # the files are neither HEAD's nor the target's, but v1's
    assert b"-1" in files(bench.root)["config/pipeline.json"]


def test_a_dry_run_says_the_same_and_writes_nothing(bench: Bench) -> None:
    before = files(bench.root)
    preview = restore(bench.repo, rev="HEAD~1", dry_run=True)
    assert preview.dry_run and files(bench.root) == before
    assert preview.changes == restore(bench.repo, rev="HEAD~1").changes


def test_paths_limit_what_is_written(bench: Bench) -> None:
    result = restore(bench.repo, ["config", "old/*"], rev="HEAD~1")
    assert [change.path for change in result.changes] == ["config/pipeline.json", "old/deep/notes.txt"]
    assert (bench.root / "new/x.txt").exists()


def test_an_unknown_path_is_named_with_what_comes_close(bench: Bench) -> None:
    with pytest.raises(UnknownRevision, match=r"config/pipelin\.json") as caught:
        restore(bench.repo, ["config/pipelin.json"])
    assert "config/pipeline.json" in str(caught.value.hint)
    with pytest.raises(UnknownRevision, match="is a revision") as caught:
        restore(bench.repo, ["HEAD~1"])
    assert str(caught.value.hint) == "mlver restore --rev HEAD~1"


def test_a_part_of_a_bundle_alone_is_said_to_be_mixed(bench: Bench) -> None:
    result = restore(bench.repo, ["models"], rev="HEAD~1")
    assert result.mixed == ("config/pipeline.json", "rules/rules.json")
    together = restore(bench.repo, ["models", "config", "rules"], rev="HEAD~1", force=True)
    assert together.mixed == ()


def test_what_a_model_was_made_from_is_its_partner(bench: Bench) -> None:
    repo = bench.repo
    bench.write("data/train.csv", "id,x\n1,2\n")
    bench.write("models/triage.joblib", b"model three")
    head = bench.commit("v3")
    snapshot = repo.snapshot(head)
    used = {path: Used(path, snapshot[path].id, snapshot[path].kind) for path in snapshot.artifacts}
    made = Derivation("api", (used["data/train.csv"],), (used["models/triage.joblib"],))
    with repo.store.session() as session:
        id = session.put_object(made)
        session.finish()
    from dataclasses import replace

    transact(repo, "run", lambda view: replace(view, pending={"models/triage.joblib": id}))
    bench.commit("v4")
    bench.write("data/train.csv", "id,x\n1,3\n")
    bench.write("models/triage.joblib", b"model five")
    bench.commit("v5")
    result = restore(repo, ["models"], rev="HEAD~1")
    assert result.mixed == ("data/train.csv",)


def test_a_file_outside_the_bundle_has_no_partners(bench: Bench) -> None:
    assert restore(bench.repo, ["old"], rev="HEAD~1").mixed == ()


def test_a_snapshot_can_be_written_elsewhere(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "audit" / "v1"
    before = files(bench.root)
    restore(bench.repo, rev="HEAD~1", to=out)
    assert files(out)["models/triage.joblib"] == b"model one" and len(files(out)) == 4
    assert files(bench.root) == before
    (out / "models/triage.joblib").write_bytes(b"touched")
    with pytest.raises(Refused, match=r"models/triage\.joblib"):
        restore(bench.repo, rev="HEAD~1", to=out)
    restore(bench.repo, rev="HEAD~1", to=out, force=True)
    assert (out / "models/triage.joblib").read_bytes() == b"model one"


def test_nothing_is_restored_into_the_repositorys_own_folder(bench: Bench) -> None:
    with pytest.raises(UsageError, match="belongs to mlver"):
        restore(bench.repo, to=bench.root / ".mlver" / "packs")


def test_the_execute_bit_comes_back(bench: Bench) -> None:
    bench.write("train.sh", "#!/bin/sh\n")
    os.chmod(bench.root / "train.sh", 0o755)
    bench.commit("v3")
    os.chmod(bench.root / "train.sh", 0o644)
    result = restore(bench.repo)
    assert [change.path for change in result.changes] == ["train.sh"]
    assert os.stat(bench.root / "train.sh").st_mode & 0o777 == 0o755


def test_a_file_makes_room_for_a_folder(bench: Bench) -> None:
    (bench.root / "old/deep").rmdir()
    (bench.root / "old").rmdir()
    bench.write("old", "a file now\n")
    bench.commit("v3")
    restore(bench.repo, rev="HEAD~2")
    assert (bench.root / "old/deep/notes.txt").read_text() == "gone soon\n"


def test_a_folder_with_files_of_ones_own_is_never_replaced_by_a_file(bench: Bench) -> None:
    os.unlink(bench.root / "new/x.txt")
    (bench.root / "new/x.txt").mkdir()
    bench.write("new/x.txt/mine.txt", "mine\n")
    for force in (False, True):
        with pytest.raises(Refused, match=r"new/x\.txt: a folder stands there and holds new/x\.txt/mine\.txt"):
            restore(bench.repo, force=force)
    assert (bench.root / "new/x.txt/mine.txt").read_text() == "mine\n"


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_through_a_link(bench: Bench, tmp_path: Path, force: bool) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "triage.joblib").write_bytes(b"precious")
    (bench.root / "models/triage.joblib").unlink()
    (bench.root / "models").rmdir()
    (bench.root / "models").symlink_to(outside)
    with pytest.raises(Refused, match="models"):
        restore(bench.repo, ["models"], rev="HEAD~1", force=force)
    assert (outside / "triage.joblib").read_bytes() == b"precious"
    assert os.listdir(outside) == ["triage.joblib"]


def test_a_link_in_place_of_a_file_is_replaced_not_followed(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.write_bytes(b"precious")
    (bench.root / "models/triage.joblib").unlink()
    (bench.root / "models/triage.joblib").symlink_to(outside)
    with pytest.raises(Refused):
        restore(bench.repo)
    restore(bench.repo, force=True)
    assert outside.read_bytes() == b"precious"
    assert not (bench.root / "models/triage.joblib").is_symlink()
    assert (bench.root / "models/triage.joblib").read_bytes() == b"model two"


def test_a_pipe_in_the_way_is_left_alone(bench: Bench) -> None:
    (bench.root / "models/triage.joblib").unlink()
    os.mkfifo(bench.root / "models/triage.joblib")
    with pytest.raises(Refused, match=r"models/triage\.joblib"):
        restore(bench.repo, force=True)


def test_a_broken_object_leaves_the_file_that_was_there(bench: Bench) -> None:
    packs = sorted((bench.root / ".mlver/packs").rglob("*"), key=os.path.getmtime)
    pack = next(p for p in packs if p.is_file() and b"model one" in p.read_bytes())
    data = pack.read_bytes()
    os.chmod(pack, 0o644)
    pack.write_bytes(data.replace(b"model one", b"model 0ne"))
    with pytest.raises(Damaged, match=r"models/triage\.joblib"):
        restore(bench.reopen(), ["models"], rev="HEAD~1")
    assert files(bench.root)["models/triage.joblib"] == b"model two"
    assert not [name for name in os.listdir(bench.root / "models") if name.startswith(".tmp")]


def test_the_stat_cache_believes_nothing_of_files_just_written(bench: Bench) -> None:
    status(bench.repo)
    restore(bench.repo, rev="HEAD~1")
    changed = {(change.path, change.change) for change in status(bench.reopen()).changes}
    assert ("models/triage.joblib", "modified") in changed
    restore(bench.repo)
    assert [change.path for change in status(bench.reopen()).changes] == ["old/deep/notes.txt"]
    # a file of the same length, put in place within the same tick, is seen too
    restore(bench.repo, ["models"], rev="HEAD~1")
    assert "models/triage.joblib" in {change.path for change in status(bench.reopen()).changes}


def test_what_was_restored_is_not_read_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    restore(bench.repo, rev="HEAD~1")
    read: list[str] = []
    monkeypatch.setattr(worktree, "read_stable", lambda _, path, __: read.append(path))
    assert status(bench.reopen()).changes and not read


def test_what_somebody_wrote_into_a_file_just_restored_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote = worktree.WorkTree.wrote

    def meddled(self: worktree.WorkTree, files: Mapping[str, tuple[BlobId, int]]) -> None:
        bench.write("models/triage.joblib", b"model 1.5")  # as long as what was restored, within the same tick
        wrote(self, files)

    monkeypatch.setattr(worktree.WorkTree, "wrote", meddled)
    restore(bench.repo, rev="HEAD~1")
    assert bench.repo.work_snapshot()["models/triage.joblib"].id == BlobId.of(b"model 1.5")


@pytest.mark.parametrize("error", [LocalIO("cannot read folder"), PermissionError("stat")])
def test_a_folder_that_cannot_be_looked_at_after_it_was_written_is_no_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = worktree.scan

    def failing(*given: object, **how: object) -> object:
        if how.get("deep") is False:
            raise error
        return real(*given, **how)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(worktree, "scan", failing)
        restore(bench.repo, rev="HEAD~1")
    assert files(bench.root)["models/triage.joblib"] == b"model one"
    assert "models/triage.joblib" in {change.path for change in status(bench.reopen()).changes}


def test_looking_at_some_paths_does_not_make_the_cache_forget_the_others(bench: Bench) -> None:
    status(bench.repo)
    restore(bench.repo, ["config"], rev="HEAD~1")
    with sqlite3.connect(bench.root / ".mlver/cache/stats.db") as db:
        known = {row[0] for row in db.execute("select path from folders")}
    assert b"models/" in known


def test_what_a_crash_left_half_written_is_neither_committed_nor_kept(bench: Bench) -> None:
    old, young = bench.root / "models/.tmp-0123456789abcdef", bench.root / "models/.tmp-fedcba9876543210"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert status(bench.repo).clean
    restore(bench.repo, ["models"], rev="HEAD~1")
    assert not old.exists() and young.exists()


def test_a_bare_repository_writes_a_snapshot_elsewhere(bench: Bench, tmp_path: Path) -> None:
    clone(bench.root, tmp_path / "bare", bare=True, actor="ben")
    with Repository.open(tmp_path / "bare") as repo:
        restore(repo, to=tmp_path / "out")
    assert files(tmp_path / "out") == files(bench.root)
