"""Many movers and a reader at once: nobody ever sees half a release, and the log and the links agree."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from mlver.errors import Conflict
from mlver.repo.releases import settle, unsettled
from mlver.repo.repository import Repository
from mlver.verbs.promote import promote, rollback
from tests.verbs.stages import Clinic, link_of, served


def test_a_reader_that_resolves_the_link_once_never_sees_a_mixture(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path / "clinic")
    ids = [clinic.live(f"v{n}", f"fill {n}", f"R{n}", f"number {n}") for n in range(2)]
    whole = [served(promote(clinic.repo, "prod", str(id))) for id in ids]
    link, stop, seen, wrong = link_of(clinic), threading.Event(), 0, []

    def read() -> None:
        nonlocal seen
        while not stop.is_set():
            files = served(os.path.realpath(link))
            seen += 1
            if files not in whole:
                wrong.append(files)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(40):
            promote(clinic.repo, "prod", str(ids[number % 2]))
    finally:
        stop.set()
        reader.join()
    assert wrong == [] and seen > 40


def test_movers_at_the_same_moment_conflict_or_follow_each_other(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path / "clinic")
    ids = [clinic.live(f"v{n}", f"fill {n}", f"R{n}", f"number {n}") for n in range(3)]
    whole = {id: served(promote(clinic.repo, "prod", str(id))) for id in ids}
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def move(worker: int) -> None:
        repo = Repository.open(clinic.root, actor=f"worker {worker}", clock=clinic.clock)
        start.wait()
        for turn in range(6):
            try:
                if (worker + turn) % 3:
                    promote(repo, "prod", str(ids[(worker + turn) % 3]), scope="clinic=C" if worker == 3 else "")
                else:
                    rollback(repo, "prod", to=str(ids[turn % 3]))
                outcomes.append("moved")
            except Conflict:
                outcomes.append("conflict")

    threads = [threading.Thread(target=move, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    repo = clinic.reopen()
    assert len(outcomes) == 24 and "moved" in outcomes
    assert settle(repo).problems == () and unsettled(repo) == ()
    for scope, live in repo.view.stages["prod"].items():
        assert served(link_of(clinic, scope=scope or "all")) == whole[live.commit]
