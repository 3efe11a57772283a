"""Two people work offline and push: facts come together, branches move forward, ledgers stay true."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from mlver.errors import Conflict, Refused
from mlver.objects.state import EVERYONE
from mlver.repo.ledger import ledger_of
from mlver.verbs.alert_stats import alert_stats
from mlver.verbs.alerts import add_alert, list_alerts
from mlver.verbs.branch import set_ref
from mlver.verbs.deployed import deployed, ledger
from mlver.verbs.fetch import fetch
from mlver.verbs.log import log
from mlver.verbs.metrics import add_metrics, show_metrics
from mlver.verbs.promote import promote, rollback
from mlver.verbs.pull import pull
from mlver.verbs.push import push
from mlver.verbs.undo import undo
from tests.kit import Bench
from tests.sharing.kit import Team, ledger_ids, shared, sound

AT = datetime(2024, 4, 22, 3, 7, tzinfo=UTC)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    team = Team(tmp_path)
    push(team.ana.repo)
    return team


def work_offline(bench: Bench, name: str) -> None:
    for n in range(3):
        add_alert(bench.repo, f"null_fraction.{name}{n}", id=f"{name}{n}", at=AT, severity="warn")
    for n in range(2):
        add_metrics(bench.repo, "HEAD", {f"{name}{n}": 0.5 + n / 10})


@pytest.mark.parametrize("order", ["ben cleo", "cleo ben"])
def test_alerts_and_metrics_of_both_come_together_whoever_pushes_first(team: Team, order: str) -> None:
    people = {name: team.clone(name) for name in ("ben", "cleo")}
    for name, bench in people.items():
        work_offline(bench, name)
    for name in order.split():
        push(people[name].repo)
    hub = team.hub
    assert len(list_alerts(hub).alerts) == 6
    assert {v.name for v in show_metrics(hub, "main").values} == {"ben0", "ben1", "cleo0", "cleo1"}
    for bench in people.values():
        fetch(bench.repo)
        assert len(list_alerts(bench.repo).alerts) == 6
        assert len(show_metrics(bench.repo, "HEAD").values) == 4
    assert people["ben"].repo.view.facts == people["cleo"].repo.view.facts == hub.refresh().facts
    sound(hub, people["ben"].repo, people["cleo"].repo)


def test_a_branch_only_moves_forward(team: Team) -> None:
    ben, cleo = team.clone("ben"), team.clone("cleo")
    ben.write("config/pipeline.json", {"impute": "mean"})
    bens = ben.commit("ben's")
    push(ben.repo)
    cleo.write("rules/rules.json", [{"id": "R1", "then": "watch"}])
    cleos = cleo.commit("cleo's")
    with pytest.raises(Conflict, match=r"main has commits on origin that are not here") as refused:
        push(cleo.repo)
    assert "mlver pull" in str(refused.value.hint)
    assert team.hub.view.branches["main"] == bens
    fetch(cleo.repo)
    assert cleo.repo.resolve("origin/main") == bens and cleo.repo.resolve("main") == cleos
    pulled = pull(cleo.repo)
    assert pulled.outcome == "merged"
    assert cleo.repo.commit(cleo.repo.view.head).parents == (cleos, bens)
    push(cleo.repo)
    pulled = pull(ben.repo)
    assert pulled.outcome == "fast-forward"
    assert ben.repo.view.head == cleo.repo.view.head == team.hub.view.branches["main"]
    assert '"watch"' in (ben.root / "rules/rules.json").read_text()
    assert '"mean"' in (cleo.root / "config/pipeline.json").read_text()
    sound(team.hub, ben.repo, cleo.repo)


def test_a_push_that_is_behind_sends_nothing_of_that_branch(team: Team) -> None:
    ben, cleo = team.clone("ben"), team.clone("cleo")
    ben.write("config/pipeline.json", {"impute": "mean"})
    ben.commit("ben's")
    push(ben.repo)
    result = push(cleo.repo)
    assert result.behind == ("main",) and not result.changed


def test_who_moved_a_stage_when_and_why_comes_across(team: Team) -> None:
    ben = team.clone("ben")
    first = ben.repo.view.head
    promote(ben.repo, "prod", reason="first release")
    ben.write("config/pipeline.json", {"impute": "-1"})
    second = ben.commit("worse")
    promote(ben.repo, "prod", reason="nightly")
    team.clock.moment = AT
    rollback(ben.repo, "prod", reason="A0088")
    push(ben.repo)
    cleo = team.clone("cleo")
    pull(team.ana.repo)
    for repo in (team.hub, cleo.repo, team.ana.repo):
        found = [(e.live.commit, e.live.actor, e.live.reason, e.live.action, e.since, e.until) for e in ledger_of(repo)]
        assert found == [
            (e.live.commit, e.live.actor, e.live.reason, e.live.action, e.since, e.until) for e in ledger_of(ben.repo)
        ]
        assert [e[0] for e in found] == [first, second, first]
        assert [e[2] for e in found] == ["first release", "nightly", "A0088"]
        assert deployed(repo, "prod").reason == "A0088"
        assert repo.resolve("prod@{1}") == second


def test_a_stage_moved_on_both_sides_is_refused_with_both_named(team: Team) -> None:
    promote(team.ana.repo, "prod", reason="v1")
    push(team.ana.repo)
    ben, cleo = team.clone("ben"), team.clone("cleo")
    for bench, value in ((ben, "mean"), (cleo, "-1")):
        bench.write("config/pipeline.json", {"impute": value})
        bench.commit(f"impute {value}")
        promote(bench.repo, "prod", reason=f"{value} is better")
    push(ben.repo)
    with pytest.raises(Conflict) as refused:
        push(cleo.repo, branches=["main"])
    assert "main has commits" in refused.value.message
    pulled = pull(cleo.repo)
    assert pulled.outcome == "conflicts" or pulled.outcome == "merged"
    (conflict,) = pulled.fetched.conflicts
    assert conflict.name == "prod"
    assert (conflict.ours.actor, conflict.ours.reason) == ("cleo", "-1 is better")
    assert (conflict.theirs.actor, conflict.theirs.reason) == ("ben", "mean is better")
    assert deployed(cleo.repo, "prod").actor == "cleo", "nothing wins silently"


def test_an_explicit_choice_settles_it_and_keeps_both_in_the_ledger(team: Team) -> None:
    promote(team.ana.repo, "prod", reason="v1")
    push(team.ana.repo)
    ben, cleo = team.clone("ben"), team.clone("cleo")
    first = ben.repo.view.head
    for bench in (ben, cleo):
        bench.write(f"rules/{bench.repo.actor}.json", [])
        bench.commit(f"rules of {bench.repo.actor}")
    bens, cleos = ben.repo.view.head, cleo.repo.view.head
    promote(cleo.repo, "prod", reason="cleo's")
    promote(ben.repo, "prod", reason="ben's")
    push(ben.repo)
    with pytest.raises(Conflict, match=r"main has commits"):
        push(cleo.repo)
    pull(cleo.repo)
    with pytest.raises(Conflict, match=r"prod was moved here to .* by cleo .* and on origin to .* by ben") as refused:
        push(cleo.repo)
    assert "mlver pull origin --stage prod=ours" in str(refused.value.hint)
    assert [e.live.reason for e in ledger_of(team.hub)] == ["v1", "ben's"]
    fetch(cleo.repo, stages=("prod=ours",), reason="talked to ben")
    assert deployed(cleo.repo, "prod").commit == cleos
    push(cleo.repo)
    fetch(ben.repo)
    for repo in (ben.repo, cleo.repo, team.hub):
        repo.refresh()
        entries = ledger_of(repo)
        assert [(e.live.commit, e.live.actor) for e in entries] == [
            (first, "ana"), (cleos, "cleo"), (bens, "ben"), (cleos, "cleo"),
        ]  # fmt: skip
        assert "talked to ben (kept over" in entries[-1].live.reason
        assert all(a.until == b.since for a, b in pairwise(entries))
    assert ledger_ids(ben.repo) == ledger_ids(cleo.repo) == ledger_ids(team.hub)


def test_the_same_commit_promoted_on_both_sides_is_no_conflict(team: Team) -> None:
    ben, cleo = team.clone("ben"), team.clone("cleo")
    promote(ben.repo, "prod", reason="go")
    promote(cleo.repo, "prod", reason="go on")
    push(ben.repo)
    push(cleo.repo)
    fetch(ben.repo)
    fetch(cleo.repo)
    assert ledger_ids(ben.repo) == ledger_ids(cleo.repo) == ledger_ids(team.hub)
    assert deployed(ben.repo, "prod").actor == deployed(team.hub, "prod").actor == "cleo"
    assert cleo.repo.view.stages == ben.repo.view.stages == team.hub.view.stages


def test_moves_of_different_scopes_come_together(team: Team) -> None:
    promote(team.ana.repo, "prod", reason="v1")
    push(team.ana.repo)
    ben, cleo = team.clone("ben"), team.clone("cleo")
    promote(ben.repo, "prod", scope="clinic=B", reason="b")
    promote(cleo.repo, "prod", scope="clinic=C", reason="c")
    push(ben.repo)
    push(cleo.repo)
    assert set(team.hub.view.stages["prod"]) == {EVERYONE, "clinic=B", "clinic=C"}


def test_a_push_that_changes_nothing_records_nothing(team: Team) -> None:
    before = team.hub.state.id
    result = push(team.ana.repo)
    assert not result.changed and result.delivery.bytes == 0
    assert team.hub.state.id == before


def test_somebody_works_there_on_the_branch(team: Team) -> None:
    ben = team.clone("ben")
    ben.write("config/pipeline.json", {"impute": "mean"})
    ben.commit("ben's")
    from mlver.verbs.remote import add_remote

    add_remote(ben.repo, "ana", team.ana.root)
    with pytest.raises(Refused, match="main is checked out on ana"):
        push(ben.repo, "ana")


def test_answers_are_the_same_in_a_clone_of_what_was_pushed(team: Team) -> None:
    ana = team.ana
    promote(ana.repo, "prod", reason="v1")
    work_offline(ana, "x")
    ana.write("config/pipeline.json", {"impute": "-1"})
    ana.commit("v2", trailers={"why": ["cheaper"]})
    promote(ana.repo, "prod", reason="nightly")
    push(ana.repo)
    for bench in (team.clone("ben"), team.clone("cleo", source="ana")):
        repo = bench.repo
        assert log(repo).to_dict() == log(ana.repo).to_dict()
        assert without_paths(ledger(repo, "prod").to_dict()) == without_paths(ledger(ana.repo, "prod").to_dict())
        assert alert_stats(repo).to_dict() == alert_stats(ana.repo).to_dict()
        then = ana.repo.commit(ana.repo.view.head).time
        assert (
            show_metrics(repo, "HEAD~1", as_of=then).to_dict() == show_metrics(ana.repo, "HEAD~1", as_of=then).to_dict()
        )
        assert shared(repo.view) == shared(ana.repo.refresh())
        assert (repo.root / "config/pipeline.json").read_bytes() == (ana.root / "config/pipeline.json").read_bytes()
        sound(repo)


def without_paths(document: dict) -> dict:
    return {**document, "entries": [{k: v for k, v in e.items() if k != "path"} for e in document["entries"]]}


def test_what_was_changed_and_taken_back_goes_along_whole(team: Team) -> None:
    """The third commit has the tree of the first: neither may be taken for what the other sends."""
    push(team.ana.repo)
    ben = team.clone("ben")
    team.ana.write("data/train.csv", "id,x\n1,2\n2,4\n")
    team.ana.commit("other data")
    team.ana.write("config/pipeline.json", {"impute": "mean"})
    team.ana.commit("other config")
    team.ana.write("config/pipeline.json", {"impute": "median"})
    team.ana.commit("as it was")
    push(team.ana.repo)
    pull(ben.repo)
    sound(team.hub, ben.repo)
    assert (ben.root / "data/train.csv").read_text() == "id,x\n1,2\n2,4\n"


def test_undo_says_that_what_was_pushed_or_came_from_others_stays(team: Team) -> None:
    team.ana.write("data/train.csv", "id,x\n1,2\n2,4\n")
    sent = team.ana.commit("other data")
    push(team.ana.repo)
    taken = undo(team.ana.repo)
    number = team.ana.repo.operation(taken.operation).number - 1
    assert taken.undone.command == "commit: other data"
    assert taken.stays == (f"push origin (operation {number}): what was sent is there",)
    assert team.hub.view.branches["main"] == sent
    ben = team.clone("ben")
    promote(ben.repo, "prod")
    push(ben.repo)
    set_ref(team.ana.repo, "tag", "mine")
    fetch(team.ana.repo)
    taken = undo(team.ana.repo)
    assert taken.undone.command.startswith("tag mine")
    assert [line.partition(": ")[2] for line in taken.stays] == ["stages that others moved are where they moved them"]
    assert team.ana.repo.view.stages["prod"][EVERYONE].commit == sent
    set_ref(team.ana.repo, "tag", "last")
    assert undo(team.ana.repo).stays == ()


def test_joined_a_second_time_a_ledger_stays_in_the_order_in_which_things_happened(team: Team) -> None:
    push(team.ana.repo)
    ben = team.clone("ben")
    first = team.ana.repo.view.head
    promote(team.ana.repo, "prod")  # not sent yet when ben moves it
    ben.write("config/pipeline.json", {"impute": "mean"})
    second = ben.commit("mean")
    promote(ben.repo, "prod")
    push(ben.repo)
    fetch(team.ana.repo, stages=("prod=ours",))
    promote(ben.repo, "prod", str(first))
    push(ben.repo)
    between = ben.clock.moment
    promote(ben.repo, "prod", str(second))
    push(ben.repo)
    fetch(team.ana.repo, stages=("prod=theirs",))
    push(team.ana.repo)
    pull(ben.repo)
    for repo in (team.ana.repo, ben.repo, team.hub):
        times = [entry.since for entry in ledger_of(repo, "prod")]
        assert times == sorted(times) and len(times) == 6
        assert deployed(repo, "prod", at=between).commit == first
