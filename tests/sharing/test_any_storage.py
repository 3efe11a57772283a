"""Push and fetch need no more of the other side than the Storage protocol: here over every storage there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlver.errors import Conflict, LocalIO, OutcomeUnknown, RemoteError
from mlver.objects.state import Operation, View
from mlver.repo.head import read_head, swap_head
from mlver.repo.remote import Remote
from mlver.repo.repository import Repository
from mlver.storage.base import Storage
from mlver.storage.elsewhere import Elsewhere
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.verbs import fetch as fetch_module
from mlver.verbs import push as push_module
from mlver.verbs.alerts import add_alert, list_alerts
from mlver.verbs.fetch import fetch
from mlver.verbs.promote import promote
from mlver.verbs.push import push
from tests.sharing.kit import START, Team, ledger_ids, shared, sound


class Cloud:
    """A storage that stands for every remote; `around` wraps it for a while."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        operation = Operation(0, None, START, "hub", "init", View())
        swap_head(storage, None, operation)

    @property
    def view(self) -> View:
        return read_head(self.storage).operation.view


@pytest.fixture(params=["local", "memory"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    cloud = Cloud(MemoryStorage() if request.param == "memory" else LocalStorage(tmp_path / "cloud"))

    def remote_of(repo: Repository, name: str | None, **_: bool) -> Remote:
        return Remote(name or "origin", "cloud", Elsewhere(cloud.storage), bare=True)

    monkeypatch.setattr(push_module, "remote_of", remote_of)
    monkeypatch.setattr(fetch_module, "remote_of", remote_of)
    return cloud


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def test_what_is_pushed_can_be_fetched(cloud: Cloud, team: Team) -> None:
    promote(team.ana.repo, "prod", reason="v1")
    add_alert(team.ana.repo, "null", id="A1", at=START, severity="warn")
    push(team.ana.repo)
    assert shared(cloud.view) == shared(team.ana.repo.refresh())
    ben = team.bench("ben")
    fetch(ben.repo)
    assert ben.repo.resolve("origin/main") == team.ana.repo.view.head
    assert [alert.id for alert in list_alerts(ben.repo).alerts] == ["A1"]
    assert ledger_ids(ben.repo) == ledger_ids(team.ana.repo)
    sound(ben.repo)


def test_a_push_that_somebody_was_faster_than_begins_anew(cloud: Cloud, team: Team) -> None:
    push(team.ana.repo)
    ben = team.bench("ben")
    fetch(ben.repo)
    add_alert(ben.repo, "null", id="B1", at=START, severity="warn")
    add_alert(team.ana.repo, "null", id="A1", at=START, severity="warn")
    inner = cloud.storage

    class Overtaken(FaultyStorage):
        """Lets Ben push first, in the very moment in which Ana swaps the head."""

        def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
            if not self.fired:
                self.fired = True
                cloud.storage = inner
                push(ben.repo)
            return inner.compare_and_swap(key, expected, new)

    cloud.storage = Overtaken(inner)
    push(team.ana.repo)
    assert cloud.storage is inner
    fetch(ben.repo)
    assert {alert.id for alert in list_alerts(ben.repo).alerts} == {"A1", "B1"}
    assert len(list(inner.list("ops"))) == read_head(inner).operation.number + 1, "the one that lost is gone"


def test_who_lost_the_race_for_a_branch_is_told(cloud: Cloud, team: Team) -> None:
    push(team.ana.repo)
    ben = team.bench("ben")
    fetch(ben.repo)
    inner = cloud.storage
    team.ana.write("a.txt", "ana's")
    team.ana.commit("ana's")
    ben.write("b.txt", "ben's")
    ben.commit("ben's, of another beginning")

    class Overtaken(FaultyStorage):
        def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
            if not self.fired:
                self.fired = True
                cloud.storage = inner
                team.ana.repo.refresh()
                push(team.ana.repo)
                return False
            return inner.compare_and_swap(key, expected, new)

    cloud.storage = Overtaken(inner)
    add_alert(ben.repo, "null", id="B1", at=START, severity="warn")
    with pytest.raises(Conflict, match="main has commits on origin"):
        push(ben.repo)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_push_that_fails_anywhere_leaves_the_old_or_the_new_state(cloud: Cloud, team: Team, after: bool) -> None:
    promote(team.ana.repo, "prod", reason="v1")
    inner = cloud.storage
    old = shared(cloud.view)
    for at in range(1, 100):
        cloud.storage = FaultyStorage(inner, at, after=after)
        seen = shared(read_head(inner).operation.view)
        try:
            push(team.ana.repo)
        except (RemoteError, LocalIO, OutcomeUnknown):
            assert cloud.storage.fired
        now = shared(read_head(inner).operation.view)
        assert now in (old, shared(team.ana.repo.refresh())) and (seen == old or now == seen)
        if not cloud.storage.fired:
            break
    assert at > 3
    cloud.storage = inner
    push(team.ana.repo)
    ben = team.bench("ben")
    fetch(ben.repo)
    assert ledger_ids(ben.repo) == ledger_ids(team.ana.repo)
    sound(ben.repo, team.ana.repo)
