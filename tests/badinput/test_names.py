"""Odd names: kept to the byte, escaped on every screen; those that cannot be kept are refused and named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mlver.errors import Refused
from mlver.verbs.blame import blame
from mlver.verbs.cat import cat
from mlver.verbs.diff import diff
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.restore import restore
from mlver.verbs.show import show
from mlver.verbs.status import status
from tests.badinput.kit import everything, mlver, refused, small
from tests.kit import Bench

ODD = [
    "new\nline.csv", "tab\t", "esc\x1b[31mred\x1b[0m", "carriage\rreturn", "bidi\u202egpj.exe", "isolate\u2066x",
    "-rf", "--help", "#hash", "a#b", "a#b#c", "@at", "a@HEAD", "HEAD", "main", "xy:z", "HEAD:x", "sp ace", " lead",
    "trail ", "trail.", "é", "e\u0301", "emoji😀", "quote\"'", "$(touch x)", "`x`", "*", "?", "[a]", "~x", "\u200b",
    "CON", "nul.txt", "..x", "x..", "...", "C1\x85", "ls\u2028x", "%s%n", "{0}", "[red]markup", "a" * 255,
]  # fmt: skip
HOSTILE = [".GIT", ".MLVER", "git~1", "MLVER~2", ".git ", ".git.", ".g\u200bit", ".git::$INDEX", "a\\b"]
SCREENS = [
    ["status"], ["log"], ["show"], ["diff", "HEAD~1", "HEAD"], ["diff", "--stat", "HEAD~1", "HEAD"],
    ["diff", "--md", "HEAD~1", "HEAD"], ["diff", "--name-only", "HEAD~1", "HEAD"], ["blame", "HEAD"], ["deployed"],
    ["op", "log"],
]  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = small(tmp_path_factory.mktemp("names"))
    for number, name in enumerate(ODD):
        bench.write(name if len(name) > 200 else f"data/{name}", f"id,x\n1,{number}\n")
    bench.commit("odd names")
    return bench


def paths(bench: Bench) -> list[str]:
    return [path for path in bench.repo.head_snapshot().artifacts if path.removeprefix("data/") in ODD]


def test_odd_names_are_kept_to_the_byte(bench: Bench) -> None:
    assert len(paths(bench)) == len(ODD)
    on_disk = {os.fsencode(path.relative_to(bench.root)) for path in (bench.root / "data").iterdir()}
    assert {path.encode() for path in paths(bench) if path.startswith("data/")} <= on_disk
    assert status(bench.repo).clean


def test_every_odd_name_is_a_target_like_any_other(bench: Bench, tmp_path: Path) -> None:
    before = everything(bench.root)
    for path in paths(bench):
        data = (bench.root / path).read_bytes()
        pieces: list[bytes] = []
        cat(bench.repo, path, pieces.append)
        assert b"".join(pieces) == data
        assert bench.repo.resolve(str(blame(bench.repo, path).units[0].commit))
        assert show(bench.repo, path).path == show(bench.repo, f"HEAD:{path}").path == path  # type: ignore[union-attr]
        assert [a.path for a in diff(bench.repo, "HEAD~1", "HEAD", targets=[path]).artifacts] == [path]
        (bench.root / path).unlink()
        restore(bench.repo, [path])
        assert (bench.root / path).read_bytes() == data
    restore(bench.repo, to=tmp_path / "copy")
    copied = {p.relative_to(tmp_path / "copy").as_posix() for p in (tmp_path / "copy").rglob("*") if p.is_file()}
    assert copied == set(bench.repo.head_snapshot().artifacts)
    assert everything(bench.root) == before


def test_no_screen_lets_a_name_act(bench: Bench) -> None:
    add_note(bench.repo, "data/new\nline.csv", "a note \x1b[31m\u202e")
    promote(bench.repo, "prod")
    for words in SCREENS:
        done = mlver(bench.root, *words)  # which asserts that no escape, carriage return or bidi mark comes out
        assert done.returncode == 0 and done.stdout
    assert b"new\\nline.csv" in mlver(bench.root, "diff", "--stat", "HEAD~1", "HEAD").stdout
    assert mlver(bench.root, "show", "data/esc\x1b[31mred\x1b[0m").returncode == 0


def test_json_has_the_names_exactly(bench: Bench) -> None:
    done = mlver(bench.root, "diff", "--json", "HEAD~1", "HEAD")
    assert done.stdout.isascii()
    told: set[str] = set()
    for artifact in json.loads(done.stdout)["artifacts"]:
        folder = artifact["path"]  # many files of one folder are one entry, with a unit for each
        told |= {folder + unit["unit"] for unit in artifact["changes"]} if folder.endswith("/") else {folder}
    assert told == set(paths(bench))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_would_reach_into_a_repository_is_refused_and_listed(tmp_path: Path, name: str) -> None:
    bench = small(tmp_path)
    (tmp_path / "data" / name).write_text("x")
    with refused(tmp_path, Refused, "cannot commit", "data/"):
        bench.commit("x")
    (odd,) = status(bench.repo).odd
    assert odd.path == f"data/{name}" and odd.reason


def test_a_name_that_is_not_utf8_is_refused_and_never_mangled(tmp_path: Path) -> None:
    bench = small(tmp_path)
    odd = os.fsencode(tmp_path) + b"/data/\xff\xfe.csv"
    Path(os.fsdecode(odd)).write_bytes(b"id,x\n1,2\n")
    with refused(tmp_path, Refused, "data/", "not UTF-8"):
        bench.commit("x")
    for words in (["status"], ["status", "--json"], ["diff"], ["log"]):
        assert mlver(tmp_path, *words).returncode == 0
    done = mlver(tmp_path, "commit", "-m", "x")
    assert done.returncode == 3 and b"\xff" not in done.stderr and b"not UTF-8" in done.stderr
    bench.write(".mlverignore", "data/*.csv\n!data/t.csv\n")
    assert bench.commit("left out") and os.path.exists(odd)


def test_a_word_that_is_not_utf8_names_nothing(tmp_path: Path) -> None:
    small(tmp_path)
    for words in (["show", b"\xff"], ["log", b"\xff"], ["commit", "--allow-empty", "-m", b"\xff"]):
        assert mlver(tmp_path, *words).returncode == 2


def test_a_tree_too_deep_for_other_systems_is_refused(tmp_path: Path) -> None:
    bench = small(tmp_path)
    deep = tmp_path.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "x").write_text("x")
    with refused(tmp_path, Refused, "deeper than 256"):
        bench.commit("x")
