"""The ways to name a commit and a part of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlver.errors import UnknownRevision, UsageError
from mlver.objects.ids import CommitId
from mlver.objects.state import Live, View
from mlver.repo.ledger import entry_at, ledger_of
from mlver.repo.revisions import Target, parse_target
from mlver.repo.transaction import transact
from tests.kit import Bench

OLD = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("revs"))
    bench.write("config/c.json", {"a": 0})
    bench.write("odd@prod#x.txt", "odd")
    for n in range(4):
        bench.write("config/c.json", {"a": n})
        bench.commit(f"c{n}")
    return bench


def _ids(bench: Bench) -> list[CommitId]:
    ids, id = [], bench.repo.view.head
    while id:
        ids.append(id)
        parents = bench.repo.commit(id).parents
        id = parents[0] if parents else None
    return ids[::-1]


def _move(bench: Bench, stage: str, scope: str, commit: CommitId) -> datetime:
    def change(view: View) -> View:
        live = Live(commit, bench.clock.moment, "ana", "", "promote")
        return replace(view, stages={**view.stages, stage: {**view.stages.get(stage, {}), scope: live}})

    return transact(bench.repo, f"promote {stage}", change).operation.time


@pytest.fixture(scope="module")
def moves(bench: Bench) -> list[datetime]:
    c = _ids(bench)
    return [
        _move(bench, "prod", "", c[0]),
        _move(bench, "prod", "", c[1]),
        _move(bench, "prod", "clinic=C", c[3]),
        _move(bench, "prod", "", c[2]),
    ]


def test_head_parents_prefixes_and_branches(bench: Bench) -> None:
    c = _ids(bench)
    resolve = bench.repo.resolve
    assert resolve("HEAD") == resolve("@") == resolve("main") == c[3]
    assert resolve("HEAD~2") == resolve("HEAD^^") == resolve("HEAD~1~1") == c[1]
    assert resolve("HEAD~0") == resolve("HEAD^0") == c[3]
    assert resolve(str(c[0])) == resolve(str(c[0])[:7]) == c[0]


def test_stages_their_scopes_and_their_past(bench: Bench, moves: list[datetime]) -> None:
    c, resolve = _ids(bench), bench.repo.resolve
    assert resolve("prod") == resolve("prod/clinic=A") == c[2]
    assert resolve("prod/clinic=C") == c[3]
    assert resolve("prod@{0}") == c[2] and resolve("prod@{1}") == c[1] and resolve("prod@{2}") == c[0]
    assert resolve(f"prod@{{{moves[1].isoformat()}}}") == c[1]
    assert resolve(f"prod@{moves[0]:%Y-%m-%dT%H:%M}") == c[0]
    assert resolve("prod~1") == c[1]
    assert resolve("main@{1}") == c[2]


@pytest.mark.parametrize(
    "text",
    ["nope", "HEAD~9", "HEAD^2", "prod@{9}", "prod@{2001-01-01}", "ffffffff", "", "a b", "nope@{1}", "HEAD~x", "~1"],
)
def test_what_names_nothing_is_unknown_with_a_hint(bench: Bench, moves: list[datetime], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        bench.repo.resolve(text)
    assert "\n" not in caught.value.message
    assert not bench.repo.is_revision(text)


def test_an_ambiguous_prefix_lists_its_candidates(bench: Bench) -> None:
    c = _ids(bench)
    shared = [x for x in "0123456789abcdef" if sum(str(i).startswith(x) for i in c) > 1]
    if shared:  # four-digit prefixes are the shortest; one digit is too short to be taken for an id
        with pytest.raises(UnknownRevision):
            bench.repo.resolve(shared[0])


def test_a_name_that_is_both_branch_and_stage_is_ambiguous(bench: Bench, moves: list[datetime]) -> None:
    c = _ids(bench)
    transact(bench.repo, "x", lambda view: replace(view, branches={**view.branches, "prod": c[0]}))
    with pytest.raises(UnknownRevision, match="ambiguous"):
        bench.repo.resolve("prod")
    transact(bench.repo, "x", lambda v: replace(v, branches={k: i for k, i in v.branches.items() if k != "prod"}))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("config/c.json", Target(None, "config/c.json", None)),
        ("config/c.json#a", Target(None, "config/c.json", "a")),
        ("config/c.json@HEAD~1#a", Target("HEAD~1", "config/c.json", "a")),
        ("HEAD~1:config/c.json#a", Target("HEAD~1", "config/c.json", "a")),
        ("config/c.json@prod@{1}", Target("prod@{1}", "config/c.json", None)),
        ("config/c.json#a@b#c", Target(None, "config/c.json", "a@b#c")),
        ("odd@prod#x.txt", Target(None, "odd@prod#x.txt", None)),
        ("HEAD~1", Target("HEAD~1", None, None)),
        ("prod@{1}", Target("prod@{1}", None, None)),
        ("prod/clinic=C", Target("prod/clinic=C", None, None)),
        ("prod/clinic=C@{2024-04-22T02:30Z}", Target("prod/clinic=C@{2024-04-22T02:30Z}", None, None)),
        ("prod@2024-04-22T02:30Z", Target("prod@2024-04-22T02:30Z", None, None)),
        ("not/there.csv", Target(None, "not/there.csv", None)),
    ],
)
def test_targets_split_into_revision_path_and_unit(
    bench: Bench, moves: list[datetime], text: str, target: Target
) -> None:
    assert parse_target(bench.repo, text) == target


def test_the_ledger_says_what_served_whom_when(bench: Bench, moves: list[datetime]) -> None:
    c = _ids(bench)
    entries = ledger_of(bench.repo, "prod")
    assert [(e.scope, e.live.commit, e.since, e.until) for e in entries] == [
        ("", c[0], moves[0], moves[1]),
        ("", c[1], moves[1], moves[3]),
        ("clinic=C", c[3], moves[2], None),
        ("", c[2], moves[3], None),
    ]
    assert entry_at(entries, "clinic=C", moves[2]).live.commit == c[3]  # type: ignore[union-attr]
    assert entry_at(entries, "clinic=C", moves[1]).live.commit == c[1]  # type: ignore[union-attr]
    assert entry_at(entries, "", None).live.commit == c[2]  # type: ignore[union-attr]
    assert entry_at(entries, "", OLD) is None
