"""`repair` as it is typed: what it says, and how it ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlver.verbs.clone import clone
from tests.cli.conftest import Terminal
from tests.kit import Bench


@pytest.fixture
def copy(bench: Bench, tmp_path: Path) -> Path:
    """A clone of the repository, which has then lost its largest pack and its work tree."""
    clone(bench.root, tmp_path / "copy", actor="ben")
    os.unlink(max((bench.root / ".mlver/packs").iterdir(), key=lambda path: path.stat().st_size))
    for path in [path for path in bench.root.rglob("*") if path.is_file() and ".mlver" not in path.parts]:
        path.unlink()
    return tmp_path / "copy"


def test_it_says_what_would_be_left_and_ends_with_five(mlver: Terminal, copy: Path) -> None:
    said = mlver("repair", "-n")
    assert said.code == 5 and all(len(line) <= 80 for line in said.out.splitlines())
    assert "  hurts main (" in said.out and said.out.splitlines()[-1].endswith(" would be left")
    assert "mlver repair --from DIR" in said.err
    left = mlver("repair", "--json")
    assert left.code == 5 and left.json["schema"] == "mlver.repair/v1" and left.json["left"][0]["hurts"]


def test_a_copy_makes_it_whole_by_folder_or_by_name(mlver: Terminal, copy: Path) -> None:
    assert mlver("repair", "--from", "../copy", "-n").code == 0
    mlver("remote", "add", "origin", str(copy))
    said = mlver("repair", "--from", "origin")
    assert said.code == 0 and "copied from origin" in said.out and said.out.endswith("ok: all is whole again\n")
    assert mlver("fsck").code == 0 and mlver("log").code == 0
    assert mlver("repair").out == "ok: nothing was damaged\n"


def test_where_nothing_is_to_copy_from_is_said(mlver: Terminal, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert mlver("repair", "--from", str(tmp_path / "empty")).code == 8
    unknown = mlver("repair", "--from", "nobody")
    assert unknown.code == 2 and "no remote 'nobody'" in unknown.err


def test_a_remote_goes_before_a_folder_of_its_name(mlver: Terminal, copy: Path, bench: Bench) -> None:
    mlver("remote", "add", "origin", str(copy))
    (bench.root / "origin").mkdir()
    assert "copied from origin" in mlver("repair", "--from", "origin").out


def test_a_copy_of_the_hidden_folder_alone_will_do(mlver: Terminal, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    (copy / ".mlver").rename(tmp_path / "safe/.mlver")
    assert mlver("repair", "--from", "../safe/.mlver").code == 0


def test_damaged_settings_do_not_keep_a_folder_from_being_copied_from(
    mlver: Terminal, copy: Path, bench: Bench
) -> None:
    (bench.root / ".mlver/config.toml").write_bytes(b"\xff\xfe = nothing")
    said = mlver("repair", "--from", "../copy")
    assert said.code == 0 and said.out.endswith("ok: all is whole again\n")


def test_an_empty_name_and_a_folder_without_a_repository_are_said(mlver: Terminal, copy: Path, tmp_path: Path) -> None:
    empty = mlver("repair", "--from", "")
    assert empty.code == 2 and "empty name" in empty.err
    (tmp_path / "empty").mkdir()
    assert "init" not in mlver("repair", "--from", "../empty").err, "that would help nobody"


def test_what_no_other_command_opens_is_mended(mlver: Terminal, bench: Bench) -> None:
    dot = bench.root / ".mlver"
    for name in ("head.0", "head.1"):
        (dot / name).chmod(0o644)
        (dot / name).write_bytes(b"\0" * 100)
    (dot / "format").write_bytes(b"")
    assert mlver("status").code == 5
    found = mlver("fsck")
    assert found.code == 5 and "format: " in found.out and "mlver repair -n" in found.err
    said = mlver("repair")
    assert said.code == 0 and "head.1: written anew from the operations" in said.out
    assert mlver("status").code == 0 and mlver("log").code == 0
