"""Notes and marks: about commits, artifacts and units, also those that are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import UnknownRevision, UsageError
from mlver.repo.note_facts import marks
from mlver.verbs.note import add_note, list_notes
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}, {"id": "R2", "then": "refer"}])
    bench.commit("v1")
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.commit("v2")
    return bench


def test_notes_are_found_by_what_they_are_about(bench: Bench) -> None:
    add_note(bench.repo, "HEAD", "went live by night", ticket="LAB-9")
    add_note(bench.repo, "rules/rules.json", "owners are on leave")
    add_note(bench.repo, "rules/rules.json#R1", "never remove")
    everything = list_notes(bench.reopen()).notes
    assert [(n.target, n.text) for n in everything] == [
        ("rules/rules.json#R1", "never remove"),
        ("rules/rules.json", "owners are on leave"),
        (bench.repo.resolve("HEAD").short, "went live by night"),
    ]
    assert everything[-1].ticket == "LAB-9"
    assert [n.text for n in list_notes(bench.repo, "rules/rules.json").notes] == ["never remove", "owners are on leave"]
    assert [n.text for n in list_notes(bench.repo, "rules/rules.json#R1").notes] == ["never remove"]
    assert [n.text for n in list_notes(bench.repo, "main").notes] == ["went live by night"]
    assert [n.text for n in list_notes(bench.repo, grep="NIGHT").notes] == ["went live by night"]


def test_a_unit_that_is_gone_can_be_written_about_and_one_that_never_was_cannot(bench: Bench) -> None:
    add_note(bench.repo, "rules/rules.json#R2", "was for clinic C")
    with pytest.raises(UnknownRevision, match="R3"):
        add_note(bench.repo, "rules/rules.json#R3", "what?")
    with pytest.raises(UnknownRevision, match="R2"):
        add_note(bench.repo, "rules/rules.json@HEAD#R2", "not there any more")
    (note,) = add_note(bench.repo, "rules/rules.json@HEAD~1#R2", "there it was").notes
    assert note.commit == bench.repo.resolve("HEAD~1")
    with pytest.raises(UnknownRevision, match="rulez"):
        add_note(bench.repo, "rulez", "what?")
    (bench.root / "rules/rules.json").unlink()
    bench.commit("no rules")
    add_note(bench.repo, "rules/rules.json", "why did we?")


def test_the_last_mark_of_a_commit_counts(bench: Bench) -> None:
    first, second = bench.repo.resolve("HEAD~1"), bench.repo.resolve("HEAD")
    add_note(bench.repo, "HEAD", "misses cancers", mark="bad")
    add_note(bench.repo, "HEAD~1", "", mark="bad")
    add_note(bench.repo, "HEAD~1", "was the feed", mark="good")
    assert marks(bench.reopen()) == {first: "good", second: "bad"}
    assert [(n.mark, n.text) for n in list_notes(bench.repo).notes] == [
        ("good", "was the feed"),
        ("bad", ""),
        ("bad", "misses cancers"),
    ]


@pytest.mark.parametrize(
    ("target", "text", "mark"), [("HEAD", "  ", None), ("HEAD", "x", "ugly"), ("rules/rules.json", "x", "bad")]
)
def test_empty_notes_and_marks_of_anything_but_commits_are_refused(
    bench: Bench, target: str, text: str, mark: str | None
) -> None:
    before = bench.repo.state.id
    with pytest.raises(UsageError):
        add_note(bench.repo, target, text, mark=mark)
    assert bench.reopen().state.id == before
