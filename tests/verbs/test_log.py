"""`log` of a long history: what people will want to see again comes first, and what is left out is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.render.console import to_text
from mlver.render.log import log_page
from mlver.verbs.branch import set_ref
from mlver.verbs.log import log
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from tests.kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "w")


def test_five_hundred_commits_with_four_promoted_are_at_most_ten_lines(bench: Bench) -> None:
    ids = [bench.commit(f"try {n}", allow_empty=True) for n in range(500)]
    live = [ids[n] for n in (20, 100, 300, 499)]
    for id in live:
        promote(bench.repo, "prod", str(id), reason="better")
    set_ref(bench.repo, "tag", "v1", str(ids[40]))
    for n in range(200, 220):
        add_note(bench.repo, str(ids[n]), "look at this")
    found = log(bench.repo, brief=True)
    assert set(live) < {commit.id for commit in found.commits}
    assert found.commits[0].id == ids[-1]
    assert [found.milestones[id.hex()] for id in (*live, ids[40])] == ["was live"] * 4 + ["tagged"]
    assert found.left == 500 - len(found.commits) == 491
    page = to_text(log_page(found), width=80, color=False).splitlines()
    assert len(page) <= 10
    assert page[-1] == "… 491 more (mlver log --every, -n N)"
    assert len(log(bench.repo).commits) == 500


def test_a_short_history_is_listed_whole(bench: Bench) -> None:
    for n in range(30):
        bench.commit(f"try {n}", allow_empty=True)
    assert (len(log(bench.repo, brief=True).commits), log(bench.repo, brief=True).left) == (30, 0)


def test_commits_are_found_by_ticket_and_by_the_kind_they_changed(bench: Bench) -> None:
    bench.write("data/val/a.csv", "x\n1\n")
    bench.write("config/c.json", {"C": 1})
    first = bench.commit("first")
    bench.write("config/c.json", {"C": 2})
    second = bench.commit("second", trailers={"ticket": ["TRI-3"]})
    bench.write("data/val/a.csv", "x\n2\n")
    third = bench.commit("third", trailers={"ticket": ["TRI-31"]})

    def ids(**words: object) -> list[object]:
        return [commit.id for commit in log(bench.repo, **words).commits]  # type: ignore[arg-type]

    assert ids(ticket="tri-3") == [second]
    assert ids(kind="data") == [third, first]
    assert ids(kind="config", paths=["config"]) == [second, first]
    assert ids(kind="config", paths=["data/val"]) == []
    with pytest.raises(UsageError, match="no kind is named 'pictures'"):
        ids(kind="pictures")


def test_the_message_nobody_wrote_says_what_changed_and_a_note_explains_later(bench: Bench) -> None:
    bench.write("data/train.csv", "patient_id,label\nP1,0\n")
    bench.write("config/pipeline.json", {"impute": "median"})
    bench.commit("v1")
    bench.write("data/train.csv", "patient_id,label\n" + "".join(f"P{n},0\n" for n in range(1, 82)))
    bench.write("config/pipeline.json", {"impute": -1})
    id = bench.commit()
    assert bench.repo.commit(id).message == "pipeline.json impute median -> -1; train.csv +80 rows"
    add_note(bench.repo, str(id), "week 2 of clinic C")
    assert bench.repo.refresh().head == id
