"""Files leave the store whole, under their own name, and never outside of the folder they belong to."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import Damaged, LocalIO, Refused
from mlver.objects.ids import BlobId
from mlver.objects.tree import BLOB, EXECUTABLE, LINK
from mlver.repo.materialise import _twins, probe_folding, refuse_twins, remove_paths, write_artifacts
from mlver.repo.snapshot import Artifact
from mlver.storage.beneath import Beneath
from mlver.testing import Killed, faulty_calls
from tests.kit import Bench


class Stored:
    """A store with some blobs, and artifacts that name them."""

    def __init__(self, bench: Bench) -> None:
        self.store = bench.repo.store

    def put(self, path: str, data: bytes, type: str = BLOB) -> Artifact:
        with self.store.session() as session:
            id = session.put_bytes(data)
            session.finish()
        return Artifact(path, type, "file", id, len(data))


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(Bench(tmp_path / "clinic"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_files_links_and_execute_bits_are_written(stored: Stored, out: Path) -> None:
    big = os.urandom(700_000)
    artifacts = [
        stored.put("a/deep/er/model.bin", big),
        stored.put("a/run.sh", b"#!/bin/sh\n", EXECUTABLE),
        stored.put("empty", b""),
        stored.put("latest", b"a/deep/er/model.bin", LINK),
    ]
    steps: list[tuple[int, int, str]] = []
    written = write_artifacts(stored.store, artifacts, out, progress=lambda *step: steps.append(step))
    assert (out / "a/deep/er/model.bin").read_bytes() == big and (out / "empty").read_bytes() == b""
    assert os.access(out / "a/run.sh", os.X_OK) and not os.access(out / "empty", os.X_OK)
    assert os.readlink(out / "latest") == "a/deep/er/model.bin" and (out / "latest").read_bytes() == big
    total = sum(artifact.size for artifact in artifacts)
    assert written == total and steps[-1] == (total, total, "latest")
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)


def test_a_missing_blob_is_named_and_leaves_nothing_half_written(stored: Stored, out: Path) -> None:
    (out / "model.bin").write_bytes(b"before")
    lost = Artifact("model.bin", BLOB, "model", BlobId.of(b"never stored"), 12)
    with pytest.raises(Damaged, match=r"model\.bin"):
        write_artifacts(stored.store, [lost], out)
    assert os.listdir(out) == ["model.bin"] and (out / "model.bin").read_bytes() == b"before"


@pytest.mark.parametrize(
    "path", ["../up", "a/../../up", "/etc/x", "a//b", ".mlver/format", "a/.GIT/hooks/x", "x\0y", ""]
)
def test_names_that_lead_elsewhere_are_refused(stored: Stored, out: Path, path: str) -> None:
    with pytest.raises(Refused):
        write_artifacts(stored.store, [stored.put(path, b"evil")], out)
    with pytest.raises(Refused):
        remove_paths(out, [path])
    assert os.listdir(out) == []


@pytest.mark.parametrize("path", ["../up", "/etc/x", "a//b", "", ".", "a/.."])
def test_the_lowest_gate_takes_no_such_path_either(out: Path, path: str) -> None:
    with Beneath(out) as root:
        for act in (root.look, root.remove, root.new_file, root.remove_empty):
            with pytest.raises(Refused, match="not a path below"):
                act(path)


def test_nothing_is_written_or_removed_through_a_link(stored: Stored, out: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep/file").write_bytes(b"precious")
    (out / "way").symlink_to(outside)
    for path in ("way/file", "way/deep/file"):
        with pytest.raises(Refused, match="way is a symbolic link"):
            write_artifacts(stored.store, [stored.put(path, b"evil")], out)
        remove_paths(out, [path])
    assert (outside / "deep/file").read_bytes() == b"precious" and os.listdir(outside) == ["deep"]
    with Beneath(out) as root:
        seen = root.look("way/deep/file")
        assert seen is not None and seen[0] == "way" and root.names("way") == []


def test_a_folder_swapped_for_a_link_while_we_write_leads_nowhere(stored: Stored, out: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (out / "folder").mkdir()
    stop, swaps = threading.Event(), []

    def swap() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                os.rename(out / "folder", out / f"aside-{len(swaps)}-{time.monotonic_ns()}")
                os.symlink(outside, out / "folder")
                swaps.append(1)
                os.unlink(out / "folder")
            with contextlib.suppress(OSError):
                os.mkdir(out / "folder")

    artifacts = [stored.put(f"folder/{n}", b"x") for n in range(4)]
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(150):
            with contextlib.suppress(Refused, LocalIO):
                write_artifacts(stored.store, artifacts, out)
            with contextlib.suppress(LocalIO):
                remove_paths(out, [artifact.path for artifact in artifacts[:1]])
    finally:
        stop.set()
        thread.join()
    assert swaps and os.listdir(outside) == []


def test_a_link_that_is_no_link_text_is_refused(stored: Stored, out: Path) -> None:
    for data in (b"", b"a\0b", b"x" * 5000):
        with pytest.raises(Refused):
            write_artifacts(stored.store, [stored.put("link", data, LINK)], out)
    assert os.listdir(out) == []


def test_a_crash_leaves_the_old_file_or_the_new_one(stored: Stored, out: Path) -> None:
    artifact = stored.put("a/model.bin", b"new" * 1000)
    (out / "a").mkdir()
    with faulty_calls() as rig:
        write_artifacts(stored.store, [artifact], out, sync=True)
    for at in range(1, len(rig.log) + 1):
        (out / "a/model.bin").write_bytes(b"old")
        with pytest.raises(Killed), faulty_calls(at, Killed):
            write_artifacts(stored.store, [artifact], out, sync=True)
        assert (out / "a/model.bin").read_bytes() in (b"old", b"new" * 1000)


def test_removing_takes_empty_folders_along_and_keeps_the_rest(out: Path) -> None:
    for path in ("a/b/one", "a/b/two", "a/c/three", "d"):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text("x")
    remove_paths(out, ["a/b/one", "a/b/two", "d", "gone/long/ago"])
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*")) == ["a", "a/c", "a/c/three"]


# -- twins ---------------------------------------------------------------------------------------

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("names", "folding", "refused"),
    [
        (["Model", "model"], (True, False), True),
        (["Model", "model"], (False, True), False),
        (["Model", "model"], (False, False), False),
        ([COMPOSED, DECOMPOSED], (False, True), True),
        ([COMPOSED, DECOMPOSED], (True, False), False),
        ([COMPOSED.upper(), DECOMPOSED], (True, True), True),
        (["Data/x", "data/y"], (True, True), True),
        (["stra\u00dfe", "STRASSE"], (True, True), True),
        (["a/x", "b/x"], (True, True), False),
    ],
)
def test_twins_are_refused_where_they_would_be_one_file(
    out: Path, names: list[str], folding: tuple[bool, bool], refused: bool
) -> None:
    with Beneath(out) as root:
        if not refused:
            refuse_twins(root, names, folds=lambda _: folding)
            return
        with pytest.raises(Refused) as caught:
            refuse_twins(root, names, folds=lambda _: folding)
        for name in names:
            assert name.split("/")[0] in caught.value.message


def test_this_file_system_is_tried_only_when_there_are_twins(out: Path) -> None:
    def never(_: Beneath) -> tuple[bool, bool]:
        raise AssertionError("tried")

    with Beneath(out) as root:
        refuse_twins(root, ["a", "b/c", "b/d"], folds=never)
        probe = probe_folding(root)
    assert os.listdir(out) == [] and len(probe) == 2


def test_twins_are_written_where_both_can_exist(stored: Stored, out: Path) -> None:
    with Beneath(out) as root:
        if any(probe_folding(root)):
            pytest.skip("this file system folds names")
    write_artifacts(stored.store, [stored.put("Model", b"1"), stored.put("model", b"2")], out)
    assert (out / "Model").read_bytes() == b"1" and (out / "model").read_bytes() == b"2"


@given(st.lists(st.text(alphabet="aAbB\u00e9\u00c9e\u0301/", min_size=1, max_size=6), max_size=8))
def test_names_that_differ_after_folding_are_never_twins(names: list[str]) -> None:
    paths = sorted({"/".join(part for part in name.split("/") if part) for name in names} - {""})
    assert _twins(paths, case=False, form=False) is None
    pair = _twins(paths, case=True, form=True)
    if pair:
        assert pair[0] != pair[1] and len({name.casefold().replace("e\u0301", "\u00e9") for name in pair}) <= 2


def test_files_for_which_there_is_no_room_are_refused_before_one_is_written(
    stored: Stored, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [stored.put(f"f{number}", bytes((number,)) * 1000) for number in range(5)]
    monkeypatch.setattr(Beneath, "free", lambda root: 3500)
    with pytest.raises(LocalIO, match="f3: the disk is too full: 4000 bytes needed, 3500 free"):
        write_artifacts(stored.store, files, out)
    assert os.listdir(out) == []
    for number in range(3):
        (out / f"f{number}").write_bytes(bytes(900))  # they give their room back
    write_artifacts(stored.store, files, out)
    assert len(os.listdir(out)) == 5


def test_a_size_that_lies_does_not_count(stored: Stored, out: Path) -> None:
    honest = stored.put("f", b"x" * 1000)
    write_artifacts(stored.store, [Artifact("f", BLOB, "file", honest.id, 1 << 60)], out)
    assert (out / "f").read_bytes() == b"x" * 1000
