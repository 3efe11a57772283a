"""A promotion serves exactly what the commit holds, says who wanted it, and survives anything on disk."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from mlver.errors import Conflict, Damaged, NegativeAnswer, OutcomeUnknown, UnknownRevision, UsageError
from mlver.repo import release_store
from mlver.repo.release_store import release_of
from mlver.repo.releases import pinned, settle, unsettled
from mlver.repo.repository import Repository
from mlver.storage import durable
from mlver.storage.swap import swap_link
from mlver.testing import faulty_calls
from mlver.verbs.config import set_config
from mlver.verbs.deployed import deployed, ledger
from mlver.verbs.fsck import fsck
from mlver.verbs.metrics import add_metrics
from mlver.verbs.promote import promote
from mlver.verbs.status import status
from tests.kit import Bench
from tests.verbs.stages import Clinic, link_of, night, releases, served

__all__ = ["night"]


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "clinic")


def test_a_promotion_serves_the_models_rules_and_config_of_the_commit(clinic: Clinic) -> None:
    id = clinic.bundle("v1", "median", "R1", "first")
    result = promote(clinic.repo, "prod", reason="first release")
    assert result.changed and result.new == id and result.old is None
    assert served(result) == {
        path: (clinic.root / path).read_bytes()
        for path in ("config/pipeline.json", "rules/rules.json", "models/triage.joblib")
    }
    assert result.files == 3 and result.bytes == result.bytes_written == sum(map(len, served(result).values()))
    live = clinic.repo.view.stages["prod"][""]
    assert (live.commit, live.actor, live.reason, live.action) == (id, "ana", "first release", "promote")


def test_served_files_are_read_only_and_keep_their_execute_bit(clinic: Clinic) -> None:
    clinic.write("serve.py", "print('hi')\n")
    os.chmod(clinic.root / "serve.py", 0o755)
    clinic.bundle("v1", "median", "R1", "first")
    root = Path(promote(clinic.repo, "prod").path)
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE(os.stat(root / "serve.py").st_mode) == 0o555 & ~umask
    assert stat.S_IMODE(os.stat(root / "models/triage.joblib").st_mode) == 0o444 & ~umask


def test_what_a_stage_serves_is_the_commits_own_choice(clinic: Clinic) -> None:
    clinic.write("mlver.toml", '[stages.edge]\ninclude = ["model", "data/train.csv"]\n')
    clinic.bundle("v1", "median", "R1", "first")
    clinic.write("mlver.toml", '[stages.edge]\ninclude = ["rules"]\n')
    clinic.commit("v2")
    assert served(promote(clinic.repo, "edge", "HEAD~1")).keys() == {"models/triage.joblib", "data/train.csv"}
    assert served(promote(clinic.repo, "edge")).keys() == {"rules/rules.json"}


def test_commits_that_serve_the_same_share_one_release(clinic: Clinic) -> None:
    clinic.live("v1", "median", "R1", "first")
    clinic.write("data/train.csv", "id,x\n1,2\n2,3\n")
    clinic.commit("more data, same model")
    result = promote(clinic.repo, "prod")
    assert result.changed and result.bytes_written == 0 and len(releases(clinic)) == 1


def test_the_same_promotion_again_changes_nothing(clinic: Clinic) -> None:
    clinic.live("v1", "median", "R1", "first")
    number = clinic.repo.state.operation.number
    again = promote(clinic.repo, "prod")
    assert not again.changed and again.undo == "" and again.reason == ""
    assert clinic.repo.refresh() and clinic.repo.state.operation.number == number


def test_a_dry_run_shows_the_difference_and_moves_nothing(clinic: Clinic) -> None:
    clinic.live("v1", "median", "R1", "first")
    clinic.bundle("v2", "-1", "R1", "first")
    head, link = clinic.repo.state.id, os.readlink(link_of(clinic))
    preview = promote(clinic.repo, "prod", dry_run=True)
    assert preview.dry_run and preview.diff is not None
    assert [artifact.path for artifact in preview.diff.artifacts] == ["config/pipeline.json"]
    clinic.repo.refresh()
    assert (clinic.repo.state.id, os.readlink(link_of(clinic))) == (head, link)
    assert len(releases(clinic)) == 1 and preview.bytes_written == preview.bytes


def test_the_first_preview_of_a_stage_makes_no_folder(clinic: Clinic) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    assert promote(clinic.repo, "prod", dry_run=True).bytes_written > 0
    assert not (clinic.root / ".mlver/releases").exists()


def test_what_was_known_of_the_commit_stays_with_the_promotion(clinic: Clinic) -> None:
    id = clinic.bundle("v1", "median", "R1", "first")
    add_metrics(clinic.repo, str(id), {"recall": 0.952}, n=120)
    promote(clinic.repo, "prod")
    add_metrics(clinic.repo, str(id), {"recall": 0.375}, slice="clinic=C", n=8)
    evidence = deployed(clinic.repo, "prod").evidence
    assert [(m["name"], m["value"], m["n"]) for m in evidence["metrics"]] == [("recall", 0.952, 120)]


def test_scopes_have_their_own_release_and_win(clinic: Clinic) -> None:
    first = clinic.live("v1", "median", "R1", "first")
    second = clinic.bundle("v2", "median", "R2", "good")
    result = promote(clinic.repo, "prod", scope="clinic=C")
    assert served(result)["models/triage.joblib"] == b"the good model"
    assert served(link_of(clinic))["models/triage.joblib"] == b"the first model"
    assert deployed(clinic.repo, "prod", scope="clinic=C").commit == second
    assert deployed(clinic.repo, "prod", scope="clinic=A").commit == first
    third = clinic.bundle("v3", "median", "R3", "third")
    warned = promote(clinic.repo, "prod")
    assert warned.warnings == (f"clinic=C keeps {second.short}: its own entry comes first",)
    assert clinic.repo.resolve("prod") == third and clinic.repo.resolve("prod/clinic=C") == second


def test_a_scope_can_be_pinned_to_what_everyone_has(clinic: Clinic) -> None:
    first = clinic.live("v1", "median", "R1", "first")
    pinned_ = promote(clinic.repo, "prod", "prod", scope="clinic=C")
    assert pinned_.changed and pinned_.undo == "mlver undo" and pinned_.old == first


@pytest.mark.parametrize("scope", ["all", "../x", "a/b", "a b"])
def test_malformed_scopes_are_refused(clinic: Clinic, scope: str) -> None:
    clinic.bundle("v1", "median", "R1", "first")
    with pytest.raises(UsageError):
        promote(clinic.repo, "prod", scope=scope)
    assert not (clinic.root / ".mlver/releases").exists()


def test_a_commit_with_nothing_to_serve_is_said_to_have_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "plain")
    bench.write("data/train.csv", "id,x\n1,2\n")
    bench.commit("data only")
    result = promote(bench.repo, "prod")
    assert result.files == 0 and "nothing that prod serves" in result.warnings[0]


def test_a_missing_object_is_found_before_anything_moves(night: tuple) -> None:
    clinic, _ = night
    clinic.write("models/triage.joblib", os.urandom(5000))
    clinic.commit("v4")
    newest = max((clinic.root / ".mlver/packs").rglob("*.pack"), key=os.path.getmtime)
    data = newest.read_bytes()
    os.chmod(newest, 0o644)
    newest.write_bytes(data[: len(data) // 2] + bytes(200) + data[len(data) // 2 + 200 :])
    repo, link = clinic.reopen(), os.readlink(link_of(clinic))
    head, before = repo.state.id, releases(clinic)
    with pytest.raises(Damaged):
        promote(repo, "prod")
    repo.refresh()
    assert (repo.state.id, os.readlink(link_of(clinic)), releases(clinic)) == (head, link, before)
    assert not [name for name in os.listdir(link_of(clinic).parents[2] / ".store") if name.startswith(".tmp")]


def test_two_people_who_move_a_stage_at_once_do_not_overwrite_each_other(night: tuple) -> None:
    clinic, ids = night
    other = Repository.open(clinic.root, actor="ben", clock=clinic.clock)
    written = release_store.ensure

    def slow(repo: Repository, release: release_store.Release, progress: object = None) -> int:
        if repo is clinic.repo:
            promote(other, "prod", str(ids["v2"]), reason="mine first")
        return written(repo, release)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlver.verbs.move.ensure", slow)
        with pytest.raises(Conflict, match="by ben meanwhile"):
            promote(clinic.repo, "prod", str(ids["v1"]))
    assert clinic.repo.refresh().stages["prod"][""].commit == ids["v2"]
    assert served(link_of(clinic))["models/triage.joblib"] == b"the good model"


# -- releases on disk ----------------------------------------------------------------------------


def test_a_release_on_disk_is_served_without_reading_a_byte(night: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic, ids = night

    def never(*_: object) -> None:
        raise AssertionError("read a file")

    monkeypatch.setattr(release_store, "hash_stream", never)
    monkeypatch.setattr(release_store, "write_artifacts", never)
    assert promote(clinic.repo, "prod", str(ids["v1"])).bytes_written == 0


def test_a_release_that_was_only_touched_is_read_again_and_kept(night: tuple) -> None:
    clinic, ids = night
    release = release_of(clinic.repo.snapshot(ids["v1"]), "prod")
    file = clinic.root / ".mlver/releases/.store" / release.name / "models/triage.joblib"
    os.utime(file)
    assert not release_store.is_whole(clinic.repo, release)
    assert promote(clinic.repo, "prod", str(ids["v1"])).bytes_written == 0
    assert release_store.is_whole(clinic.repo, release)
    assert not (clinic.root / ".mlver/quarantine").exists()


@pytest.mark.parametrize("harm", ["changed", "removed", "added", "linked"])
def test_a_release_that_was_tampered_with_is_set_aside_and_written_again(night: tuple, harm: str) -> None:
    clinic, ids = night
    release = release_of(clinic.repo.snapshot(ids["v1"]), "prod")
    folder = clinic.root / ".mlver/releases/.store" / release.name
    file = folder / "models/triage.joblib"
    info = os.stat(file)
    if harm == "changed":  # the same length and time, as somebody would who wants it unseen
        os.chmod(file, 0o644)
        file.write_bytes(b"THE FIRST MODEL")
        os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    elif harm == "added":
        (folder / "extra.py").write_text("import os\n")
    else:
        file.unlink()
        if harm == "linked":
            file.symlink_to(clinic.root / "models/triage.joblib")
    result = promote(clinic.repo, "prod", str(ids["v1"]))
    assert served(result)["models/triage.joblib"] == b"the first model" and "extra.py" not in served(result)
    assert not (Path(result.path) / "models/triage.joblib").is_symlink()
    assert result.bytes_written == result.bytes
    (kept,) = os.listdir(clinic.root / ".mlver/quarantine")
    assert kept.startswith(f"release-{release.name}")


def test_promoting_what_is_live_mends_a_damaged_release(night: tuple) -> None:
    clinic, _ = night
    file = link_of(clinic).resolve() / "models/triage.joblib"
    os.chmod(file, 0o644)
    file.write_bytes(b"broken")
    result = promote(clinic.repo, "prod")
    assert not result.changed and result.bytes_written > 0
    assert served(result)["models/triage.joblib"] == b"the bad model"


def test_releases_nobody_would_go_back_to_are_removed(clinic: Clinic) -> None:
    set_config(clinic.repo, "releases.keep", "2")
    for number in range(6):
        clinic.live(f"v{number}", "median", f"R{number}", f"model {number}")
    names = [entry.live.release for entry in reversed(_entries(clinic))]
    assert releases(clinic) == set(names[:3])
    store = clinic.root / ".mlver/releases/.store"
    assert {path.stem for path in store.glob("*.json")} == set(names[:3])
    back = promote(clinic.repo, "prod", "prod@{5}")
    assert back.bytes_written > 0 and served(back)["models/triage.joblib"] == b"the model 0 model"


def _entries(bench: Bench) -> list:
    from mlver.repo.ledger import ledger_of

    return ledger_of(bench.repo, "prod")


def test_a_release_that_another_process_is_about_to_record_is_left_alone(clinic: Clinic) -> None:
    set_config(clinic.repo, "releases.keep", "0")
    clinic.live("v1", "median", "R1", "first")
    id = clinic.bundle("v2", "median", "R2", "good")
    release = release_of(clinic.repo.snapshot(id), "prod")
    release_store.ensure(clinic.repo, release)
    clinic.live("v3", "median", "R3", "third")
    assert release.name in releases(clinic) and len(releases(clinic)) == 2


# -- the link follows the log --------------------------------------------------------------------


def test_a_link_that_was_not_moved_is_moved_by_the_next_command(night: tuple) -> None:
    clinic, ids = night
    v1 = release_of(clinic.repo.snapshot(ids["v1"]), "prod").name
    swap_link(link_of(clinic), f"../../.store/{v1}")
    assert unsettled(clinic.repo) == ("prod",) and status(clinic.repo).unsettled == ("prod",)
    assert os.readlink(link_of(clinic)).endswith(v1)  # looking moved nothing
    assert deployed(clinic.repo, "prod").commit == ids["bad"]
    assert unsettled(clinic.repo) == () and served(link_of(clinic))["models/triage.joblib"] == b"the bad model"


def test_a_link_that_others_keep_from_being_swapped_is_not_said_to_be(
    night: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic, ids = night
    monkeypatch.setattr("mlver.repo.releases.swap_link", lambda path, target, still: False)
    with pytest.raises(OutcomeUnknown, match="keeps being moved"):
        promote(clinic.repo, "prod", ids["v1"].hex())
    monkeypatch.undo()
    assert unsettled(clinic.repo) == ("prod",) and settle(clinic.repo).moved == (("prod", ""),)


def test_releases_can_all_be_deleted_and_come_back(night: tuple) -> None:
    clinic, _ = night
    before = served(link_of(clinic))
    durable.remove_tree(clinic.root / ".mlver/releases")
    assert unsettled(clinic.repo) == ("prod",)
    assert settle(clinic.repo).moved == (("prod", ""),)
    assert served(link_of(clinic)) == before


def test_a_swap_that_fails_is_said_to_be_recorded_and_is_finished_later(night: tuple) -> None:
    clinic, ids = night
    with pytest.raises(OutcomeUnknown, match="recorded"), faulty_calls(1, 28, only=("symlink",)):
        promote(clinic.repo, "prod", str(ids["v1"]))
    assert served(link_of(clinic))["models/triage.joblib"] == b"the bad model"
    assert clinic.reopen().view.stages["prod"][""].commit == ids["v1"]
    deployed(clinic.repo, "prod")
    assert served(link_of(clinic))["models/triage.joblib"] == b"the first model"


def test_a_stage_in_trouble_does_not_hold_up_another(night: tuple) -> None:
    clinic, ids = night
    clinic.live("dev 1", "knn", "R9", "strange", stage="dev")
    durable.remove(link_of(clinic, "dev"))
    durable.make_dirs(link_of(clinic, "dev"))  # a folder where the link of dev must be
    result = promote(clinic.repo, "prod", str(ids["v1"]))
    assert result.changed and any("dev" in warning for warning in result.warnings)
    assert served(result)["models/triage.joblib"] == b"the first model"


def test_a_reader_that_pinned_a_release_is_not_cut_off(night: tuple) -> None:
    clinic, ids = night
    folder = pinned(clinic.repo, "prod")
    assert folder is not None
    promote(clinic.repo, "prod", str(ids["v1"]))
    assert (folder / "models/triage.joblib").read_bytes() == b"the bad model"
    assert pinned(clinic.repo, "prod", "clinic=C") == pinned(clinic.repo, "prod") != folder


# -- deployed ------------------------------------------------------------------------------------


def test_deployed_answers_for_any_moment(night: tuple) -> None:
    clinic, ids = night
    entries = ledger(clinic.repo, "prod").entries
    assert [entry.commit for entry in entries] == [ids["bad"], ids["v2"], ids["v1"]]
    now, second, first = entries
    assert now.until is None and second.until == now.since and first.until == second.since
    assert deployed(clinic.repo, "prod").commit == ids["bad"]
    assert deployed(clinic.repo, "prod", at=now.since).commit == ids["bad"]
    before = deployed(clinic.repo, "prod", at=now.since - timedelta(seconds=1))
    assert before.commit == ids["v2"] and before.path is not None
    assert served(before.path)["models/triage.joblib"] == b"the good model"
    with pytest.raises(NegativeAnswer, match="nothing was live on prod at"):
        deployed(clinic.repo, "prod", at=first.since - timedelta(seconds=1))


def test_an_unknown_stage_is_told_from_an_empty_moment(night: tuple) -> None:
    clinic, _ = night
    with pytest.raises(UnknownRevision, match="no stage 'canary'") as caught:
        deployed(clinic.repo, "canary")
    assert "prod" in str(caught.value.hint)


def test_what_all_stages_serve_now(night: tuple) -> None:
    clinic, ids = night
    promote(clinic.repo, "dev", str(ids["v1"]))
    promote(clinic.repo, "prod", str(ids["v2"]), scope="clinic=C")
    now = {(entry.stage, entry.scope): entry.commit for entry in ledger(clinic.repo).entries}
    assert now == {("prod", ""): ids["bad"], ("prod", "clinic=C"): ids["v2"], ("dev", ""): ids["v1"]}


def test_fsck_names_the_stage_whose_files_were_changed(night: tuple) -> None:
    clinic, _ = night
    assert fsck(clinic.repo).ok
    file = link_of(clinic).resolve() / "rules/rules.json"
    os.chmod(file, 0o644)
    file.write_text("[]")
    (problem,) = fsck(clinic.repo).problems
    assert problem.what == "what prod serves" and problem.repairable and problem.hurts == ("prod",)
    promote(clinic.repo, "prod")
    assert fsck(clinic.repo).ok
