"""Branches, tags, and the work tree that follows HEAD."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlver.errors import Refused, UnknownRevision, UsageError
from mlver.testing import Killed, faulty_calls
from mlver.verbs.branch import delete_ref, list_refs, set_ref, switch
from mlver.verbs.promote import promote
from mlver.verbs.restore import restore
from mlver.verbs.status import status
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """`main` with two files, and `exp` on which one changed, one came and one became a folder."""
    bench = Bench(tmp_path / "clinic")
    bench.write("config/pipeline.json", {"impute": "median"})
    bench.write("README", "a clinic\n")
    bench.write("place", "a file\n")
    bench.commit("v1")
    switch(bench.repo, "exp", create=True)
    bench.write("config/pipeline.json", {"impute": "-1"})
    bench.write("notes/exp.txt", "an experiment\n")
    os.unlink(bench.root / "place")
    bench.write("place/inside", "a folder\n")
    bench.commit("exp 1")
    return bench


def files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file() and ".mlver" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def test_files_follow_head_both_ways(bench: Bench) -> None:
    on_exp = files(bench.root)
    result = switch(bench.repo, "main")
    assert bench.repo.view.branch == result.branch == "main" and not result.created
    assert status(bench.reopen()).clean
    assert {(c.path, c.change) for c in result.changes} == {
        ("config/pipeline.json", "modified"),
        ("notes/exp.txt", "removed"),
        ("place/inside", "removed"),
        ("place", "added"),
    }
    assert not (bench.root / "notes").exists()
    switch(bench.repo, "exp")
    assert files(bench.root) == on_exp and status(bench.reopen()).clean


def test_only_files_that_differ_are_written(bench: Bench) -> None:
    before = os.stat(bench.root / "README")
    switch(bench.repo, "main")
    after = os.stat(bench.root / "README")
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_unrelated_uncommitted_work_is_carried_over(bench: Bench) -> None:
    bench.write("README", "edited\n")
    bench.write("scratch.txt", "mine\n")
    switch(bench.repo, "main")
    assert (bench.root / "README").read_text() == "edited\n"
    assert {c.path for c in status(bench.reopen()).changes} == {"README", "scratch.txt"}


def test_work_that_would_be_overwritten_is_named_before_anything_moves(bench: Bench) -> None:
    bench.write("config/pipeline.json", {"impute": "knn"})
    bench.write("notes/exp.txt", "edited\n")
    before, view = files(bench.root), bench.repo.view
    with pytest.raises(Refused, match=r"config/pipeline\.json, notes/exp\.txt"):
        switch(bench.repo, "main")
    assert files(bench.root) == before and bench.repo.refresh() == view


def test_an_untracked_file_in_the_way_is_kept(bench: Bench) -> None:
    switch(bench.repo, "main")
    bench.write("notes/exp.txt", "mine\n")
    with pytest.raises(Refused, match=r"notes/exp\.txt"):
        switch(bench.repo, "exp")
    assert (bench.root / "notes/exp.txt").read_text() == "mine\n"


def test_all_that_is_in_the_way_is_counted_and_the_hint_says_what_to_do(bench: Bench) -> None:
    switch(bench.repo, "main")
    for number in range(8):
        bench.write(f"out/{number}.csv", "x\n")
    bench.commit("eight files")
    switch(bench.repo, "exp")
    for number in range(8):
        bench.write(f"out/{number}.csv", "mine\n")
    with pytest.raises(Refused, match=r"out/0\.csv, .*out/4\.csv and 3 more") as caught:
        switch(bench.repo, "main")
    assert "mlver commit" in str(caught.value.hint) and "mlver restore" in str(caught.value.hint)
    assert (bench.root / "out/7.csv").read_text() == "mine\n" and bench.repo.refresh().branch == "exp"


def test_a_file_edited_here_that_the_other_branch_does_not_have_is_kept(bench: Bench) -> None:
    bench.write("notes/exp.txt", "my edit\n")
    with pytest.raises(Refused, match=r"notes/exp\.txt"):
        switch(bench.repo, "main")
    assert (bench.root / "notes/exp.txt").read_text() == "my edit\n"


def test_untracked_files_in_a_folder_where_a_file_belongs_are_kept(bench: Bench) -> None:
    bench.write("place/mine.txt", "mine\n")  # on main, `place` is a file
    with pytest.raises(Refused, match=r"place/mine\.txt"):
        switch(bench.repo, "main")
    assert (bench.root / "place/mine.txt").read_text() == "mine\n" and (bench.root / "place/inside").exists()


def test_an_ignored_file_in_the_way_is_kept_too(bench: Bench) -> None:
    switch(bench.repo, "main")
    bench.write(".mlverignore", "notes/\n")
    bench.write("notes/exp.txt", "mine, ignored\n")
    with pytest.raises(Refused, match=r"notes/exp\.txt"):
        switch(bench.repo, "exp")
    assert (bench.root / "notes/exp.txt").read_text() == "mine, ignored\n"


def test_a_file_that_is_right_already_is_no_conflict(bench: Bench) -> None:
    bench.write("config/pipeline.json", {"impute": "median"})  # what main has
    switch(bench.repo, "main")
    assert status(bench.reopen()).clean


def test_head_can_leave_all_branches(bench: Bench) -> None:
    result = switch(bench.repo, "HEAD~1", detach=True)
    assert result.branch is None and bench.repo.view.head == bench.repo.resolve("main")
    bench.write("README", "detached\n")
    id = bench.commit("detached")
    assert bench.repo.view.detached == id and bench.repo.resolve("main") != id
    switch(bench.repo, "found", create=True)
    assert bench.repo.view.branches["found"] == id


def test_a_switch_that_was_cut_short_is_finished_by_the_same_command(bench: Bench, tmp_path: Path) -> None:
    with faulty_calls() as rig:
        switch(bench.repo, "main")
    calls, on_main = len(rig.log), files(bench.root)
    switch(bench.repo, "exp")
    for at in range(1, calls + 1, 3):
        with pytest.raises(Killed), faulty_calls(at, Killed):
            switch(bench.reopen(), "main")
        repo = bench.reopen()
        assert repo.view.branch in ("main", "exp")
        switch(repo, "main")
        assert {p: b for p, b in files(bench.root).items() if ".tmp-" not in p} == on_main
        for path in [p for p in bench.root.rglob(".tmp-*") if ".mlver" not in p.parts]:
            path.unlink()
        switch(repo, "exp")


def test_before_the_first_commit_the_branch_takes_another_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "new")
    result = switch(bench.repo, "trunk", create=True)
    assert result.created and bench.repo.view.branch == "trunk" and bench.repo.view.branches == {}
    bench.write("a", "1\n")
    bench.commit("first")
    assert [ref.name for ref in list_refs(bench.repo).refs] == ["trunk"]


def test_a_revision_that_is_no_branch_asks_for_detach(bench: Bench) -> None:
    with pytest.raises(UnknownRevision, match="not a branch") as caught:
        switch(bench.repo, "HEAD~1")
    assert "--detach" in str(caught.value.hint)
    with pytest.raises(UnknownRevision, match="no branch 'nowhere'"):
        switch(bench.repo, "nowhere")


def test_branches_are_listed_with_the_current_one(bench: Bench) -> None:
    refs = list_refs(bench.repo).refs
    assert [(ref.name, ref.current, ref.subject) for ref in refs] == [("exp", True, "exp 1"), ("main", False, "v1")]


def test_a_tag_keeps_its_commit_unless_forced(bench: Bench) -> None:
    set_ref(bench.repo, "tag", "v1", "main")
    first = bench.repo.resolve("v1")
    with pytest.raises(Refused, match="tag v1 exists already"):
        set_ref(bench.repo, "tag", "v1", "exp")
    moved = set_ref(bench.repo, "tag", "v1", "exp", force=True)
    assert (moved.old, moved.new) == (first, bench.repo.resolve("exp"))
    assert delete_ref(bench.repo, "tag", "v1").old == moved.new
    with pytest.raises(UnknownRevision):
        bench.repo.resolve("v1")
    with pytest.raises(UnknownRevision, match="no tag 'v1'"):
        delete_ref(bench.repo, "tag", "v1")


def test_the_branch_head_is_on_is_neither_moved_nor_deleted(bench: Bench) -> None:
    with pytest.raises(Refused, match="HEAD is on branch exp"):
        set_ref(bench.repo, "branch", "exp", "main", force=True)
    with pytest.raises(Refused, match="HEAD is on branch exp"):
        delete_ref(bench.repo, "branch", "exp")


def test_a_deleted_branch_stays_in_the_operation_log(bench: Bench) -> None:
    head = bench.repo.resolve("exp")
    switch(bench.repo, "main")
    delete_ref(bench.repo, "branch", "exp")
    assert bench.repo.commit(head).subject == "exp 1"
    assert any(head in operation.view.branches.values() for _, operation in bench.repo.operations())


def test_a_name_means_one_thing(bench: Bench) -> None:
    promote(bench.repo, "prod", "main")
    set_ref(bench.repo, "tag", "v1", "main")
    for type, name in (("branch", "prod"), ("tag", "prod"), ("branch", "v1"), ("tag", "exp"), ("branch", "prod/x")):
        with pytest.raises(Refused):
            set_ref(bench.repo, type, name)
    with pytest.raises(Refused):
        switch(bench.repo, "prod", create=True)
    for stage in ("main", "v1", "PROD"):
        with pytest.raises(Refused):
            promote(bench.repo, stage)
    set_ref(bench.repo, "branch", "team/one")
    with pytest.raises(Refused, match="team/one"):
        promote(bench.repo, "team")


@pytest.mark.parametrize("name", ["", "HEAD", "a..b", "-x", "a b", "a/", "deadbeef", "x.lock", "last-good", "a\nb"])
def test_malformed_names_are_refused(bench: Bench, name: str) -> None:
    for type in ("branch", "tag"):
        with pytest.raises(UsageError):
            set_ref(bench.repo, type, name)
    with pytest.raises(UsageError):
        promote(bench.repo, name)


def test_restore_after_a_conflict_makes_room_for_switch(bench: Bench) -> None:
    bench.write("config/pipeline.json", {"impute": "knn"})
    restore(bench.repo, ["config"], force=True)
    switch(bench.repo, "main")
    assert status(bench.reopen()).clean
