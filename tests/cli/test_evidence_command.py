"""`mlver evidence` on the command line."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Terminal
from tests.kit import Bench


def test_it_is_written_and_checked_without_a_repository(mlver: Terminal, bench: Bench, tmp_path: Path) -> None:
    assert mlver("promote", "prod", "--reason", "first").code == 0
    answer = mlver("evidence", "prod", "--out", "../e.tar")
    assert answer.code == 0
    assert "wrote ../e.tar" in answer.out and "promoted by ana: first" in answer.out
    (tmp_path / "elsewhere").mkdir()
    checked = mlver("evidence", "--verify", "../e.tar", folder="elsewhere")
    assert checked.code == 0 and "all of it holds together" in checked.out
    written = mlver("evidence", "prod", "--out", "../f.tar", "--json").json
    verified = mlver("evidence", "--verify", "../f.tar", "--json", folder="elsewhere").json
    assert written["sha256"] == verified["sha256"]
    assert (written["schema"], verified["schema"]) == ("mlver.evidence-written/v1", "mlver.evidence-verified/v1")
    assert written["commit"] == verified["commit"]
    assert (tmp_path / "e.tar").read_bytes() == (tmp_path / "f.tar").read_bytes()


def test_its_own_name_says_which_commit_and_moment(mlver: Terminal, bench: Bench) -> None:
    mlver("promote", "prod", "--reason", "first")
    name = mlver("evidence", "prod", "--at", "2024-04-22T03:07Z", "-q").out.strip()
    assert name.startswith("evidence-") and name.endswith("-20240422T030700Z.tar")
    assert (bench.root / name).is_file()
    assert mlver("evidence", "prod@{2024-04-22T03:07Z}", "-q").out.strip() == name


def test_what_does_not_hold_together_ends_with_one_and_is_named(mlver: Terminal, bench: Bench) -> None:
    mlver("evidence", "HEAD", "--with-files", "--out", "e.tar")
    data = (bench.root / "e.tar").read_bytes()
    (bench.root / "e.tar").write_bytes(data.replace(b"patient_id,label\nP1,0", b"patient_id,label\nP1,1"))
    answer = mlver("evidence", "--verify", "e.tar")
    assert answer.code == 1
    assert "files/data/train.csv" in answer.out and "does not hold together" in answer.out
    assert mlver("evidence", "--verify", "e.tar", "-q").out.splitlines()[0] == "files/data/train.csv"


def test_words_that_do_not_fit_are_told(mlver: Terminal, bench: Bench) -> None:
    assert mlver("evidence").code == 2
    assert mlver("evidence", "HEAD", "--verify", "x.tar").code == 2
    assert mlver("evidence", "--verify", "nothing.tar").code == 2
    assert mlver("evidence", "--verify", "mlver.toml").code == 2
    (bench.root / "x.tar").write_bytes(b"hello")
    answer = mlver("evidence", "--verify", "x.tar")
    assert answer.code == 5 and "not evidence" in answer.err
    assert mlver("evidence", "HEAD", "--out", ".mlver/e.tar").code == 3
    assert mlver("evidence", "HEAD", "--out", "none/e.tar").code == 2
    assert mlver("evidence", "nosuch").code == 2


def test_an_unpacked_folder_is_checked_too(mlver: Terminal, bench: Bench, tmp_path: Path) -> None:
    import tarfile

    mlver("evidence", "HEAD", "--out", "../e.tar")
    with tarfile.open(tmp_path / "e.tar") as archive:
        archive.extractall(tmp_path / "x", filter="data")
    (folder,) = (tmp_path / "x").iterdir()
    assert mlver("evidence", "--verify", str(folder)).code == 0
    (folder / "more.txt").write_text("x")
    assert "more.txt" in mlver("evidence", "--verify", str(folder)).out


def test_hints_can_be_typed_whatever_the_name_is(mlver: Terminal, bench: Bench) -> None:
    assert (
        "mlver evidence --verify '../night of c.tar' checks" in mlver("evidence", "HEAD", "-o", "../night of c.tar").err
    )
    bench.write("data/a b; rm -rf x/t.csv", "id\n1\n")
    bench.commit("odd names")
    assert "mlver cat --head 5 'data/a b; rm -rf x/'" in mlver("cat", "data/a b; rm -rf x/").err
    assert "mlver show 'data/a b; rm -rf x/t.csv#1'" in mlver("cat", "data/a b; rm -rf x/t.csv#1", "--count").err
