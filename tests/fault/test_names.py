"""A short run of the campaign of hostile names, and the proof that it would see an escape."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mlver.errors import Refused
from mlver.repo import names as gate
from tests.fault import name_commands as commands
from tests.fault import names
from tests.fault.name_corpus import hostile

# Changes only when a rule or the corpus does: no system, and no version of Python, may give another.
VERDICTS = "996d0c11258b0769ab6e946fbc9d66b544d7f833df89fcf6b8f5803c42832be0"


def verdict(name: str) -> str:
    try:
        return gate.check_name(name) and "passes"
    except Refused as error:
        return error.message.rpartition(": ")[2]


def test_every_hostile_name_is_refused() -> None:
    corpus = hostile()
    assert len(corpus) >= 500 and len({family for family, _ in corpus}) == 7
    assert [ascii(name) for _, name in corpus if verdict(name) == "passes"] == []


def test_the_verdicts_are_the_same_everywhere() -> None:
    planes = ((0, 0x3400), (0xFB00, 0x10000), (0x1D000, 0x1F200), (0xE0000, 0xE1000))  # where odd characters live
    every = [chr(code) for first, end in planes for code in range(first, end)]
    told = [f"{name!a} {verdict(name)}" for _, name in hostile()]
    told += [f"{name!a} {verdict(f'.g{name}it')}" for name in every]
    assert hashlib.sha256("\n".join(told).encode()).hexdigest() == VERDICTS


def test_every_command_is_classified() -> None:
    assert commands.unclassified() == [], "say in tests/fault/name_commands.py how a name from outside can reach it"
    assert set(commands.leaves()) >= commands.READS | commands.OWN


def test_no_hostile_name_leads_any_command_outside() -> None:
    played, ran, problems = names.campaign(step=149, seed=41, share=13)
    assert problems == [] and played == 4 and ran > 30


def test_a_gate_that_lets_everything_pass_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mlver.repo.snapshot.check_name", lambda name: name)
    monkeypatch.setattr("mlver.repo.materialise.check_path", lambda path: path)
    monkeypatch.setattr("mlver.repo.overlay.check_path", lambda path: path)
    with names.settled(tmp_path):
        scene = names.Scene.build(tmp_path / "scene")
        play = names.here(names.in_a_tree, commands.MUST_FAIL)
        # a folder called .git, with a file in it that is there already
        problems = play(scene, tmp_path / "round", ".git", 1, ["restore -f --rev evil"]).problems
    assert any("changed" in problem and "w/.git" in problem for problem in problems)


def test_a_fetch_that_lets_the_names_of_a_recorded_step_pass_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with names.settled(tmp_path):
        scene = names.Scene.build(tmp_path / "scene")
        play = names.elsewhere(names.in_a_step, ("fetch hostile",))
        assert play(scene, tmp_path / "sound", "../outside", 1, ["fetch hostile"]).problems == []
        monkeypatch.setattr("mlver.repo.recorded.check_path", lambda path: path)
        problems = play(scene, tmp_path / "round", "../outside", 1, ["fetch hostile"]).problems
    assert any("exit 0" in problem for problem in problems)
