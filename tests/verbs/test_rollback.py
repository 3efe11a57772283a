"""Going back: to the last good bundle, whole, and nowhere else."""

from __future__ import annotations

import os

import pytest

from mlver.errors import Damaged, NegativeAnswer, UnknownRevision, UsageError
from mlver.objects.commit import Derivation, Used
from mlver.repo.transaction import transact
from mlver.storage import durable
from mlver.verbs.alerts import act_on_alert, add_alert
from mlver.verbs.blame import blame
from mlver.verbs.deployed import deployed, ledger
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote, rollback
from mlver.verbs.undo import undo
from tests.verbs.stages import link_of, night, served

__all__ = ["night"]
GOOD = b"the good model"


def test_rollback_brings_the_whole_last_good_bundle_back(night: tuple) -> None:
    clinic, ids = night
    result = rollback(clinic.repo, "prod", reason="A0088, clinic C")
    assert result.changed and (result.old, result.new) == (ids["bad"], ids["v2"])
    snapshot = clinic.repo.snapshot(ids["v2"])
    assert served(result) == {
        path: snapshot.source(path).open().read() for path in snapshot.artifacts if not path.startswith("data/")
    }
    assert result.bytes_written == 0 and result.reason == "A0088, clinic C"
    now = deployed(clinic.repo, "prod")
    assert (now.commit, now.action, now.reason) == (ids["v2"], "rollback", "A0088, clinic C")
    assert [entry.commit for entry in ledger(clinic.repo, "prod").entries] == [ids["v2"], *reversed(ids.values())]


@pytest.mark.parametrize("to", [None, "last-good"])
def test_a_second_rollback_does_nothing(night: tuple, to: str | None) -> None:
    clinic, _ = night
    first = rollback(clinic.repo, "prod", to=to)
    number = clinic.repo.state.operation.number
    again = rollback(clinic.repo, "prod", to=to)
    assert not again.changed and again.new == first.new and "--to" in str(again.hint)
    assert clinic.repo.refresh() and clinic.repo.state.operation.number == number


def test_the_undo_of_a_rollback_leaves_the_good_release_good(night: tuple) -> None:
    clinic, ids = night
    result = rollback(clinic.repo, "prod")
    assert result.undo == f"mlver promote prod {ids['bad'].short}"
    promote(clinic.repo, "prod", ids["bad"].short)
    assert rollback(clinic.repo, "prod").new == ids["v2"]


def test_the_undo_of_a_promotion_is_a_rollback_to_what_was(night: tuple) -> None:
    clinic, ids = night
    assert promote(clinic.repo, "prod", str(ids["v1"])).undo == f"mlver rollback prod --to {ids['bad'].short}"


def test_a_preview_says_what_would_change_and_moves_nothing(night: tuple) -> None:
    clinic, ids = night
    head = clinic.repo.state.id
    preview = rollback(clinic.repo, "prod", dry_run=True)
    assert preview.dry_run and preview.new == ids["v2"] and preview.diff is not None
    assert {a.kind for a in preview.diff.artifacts} == {"config", "rules", "model", "data"}
    clinic.repo.refresh()
    assert clinic.repo.state.id == head and served(link_of(clinic))["models/triage.joblib"] == b"the bad model"


def test_a_commit_marked_bad_is_passed_over_and_said_so(night: tuple) -> None:
    clinic, ids = night
    add_note(clinic.repo, str(ids["v2"]), "leaks the label", mark="bad")
    result = rollback(clinic.repo, "prod")
    assert result.new == ids["v1"] and result.unhealthy == (f"{ids['v2'].short}: marked bad",)


def test_the_newest_mark_counts(night: tuple) -> None:
    clinic, ids = night
    add_note(clinic.repo, str(ids["v2"]), "leaks the label", mark="bad")
    add_note(clinic.repo, str(ids["v2"]), "no, it does not", mark="good")
    assert rollback(clinic.repo, "prod").new == ids["v2"]


def test_a_critical_alert_nobody_settled_speaks_against_a_commit(night: tuple) -> None:
    clinic, ids = night
    promote(clinic.repo, "prod", str(ids["v2"]))
    add_alert(clinic.repo, "flag_rate_drop.clinic", id="A0088", severity="page")
    add_alert(clinic.repo, "psi.mean_texture", id="A0089", severity="warn")
    promote(clinic.repo, "prod", str(ids["bad"]))
    preview = rollback(clinic.repo, "prod", dry_run=True)
    assert preview.new == ids["v1"] and preview.unhealthy == (f"{ids['v2'].short}: alert A0088 (page) is open",)
    act_on_alert(clinic.repo, "A0088", did="feed repaired", outcome="resolved")
    assert rollback(clinic.repo, "prod").new == ids["v2"]


def test_an_alert_on_another_stage_does_not_count(night: tuple) -> None:
    clinic, ids = night
    promote(clinic.repo, "dev", str(ids["v2"]))
    add_alert(clinic.repo, "disk", id="A1", severity="critical", stage="dev")
    assert rollback(clinic.repo, "prod").new == ids["v2"]


def test_a_release_that_was_rolled_back_from_is_not_gone_back_to(night: tuple) -> None:
    clinic, ids = night
    rollback(clinic.repo, "prod", reason="A0088")
    v4 = clinic.live("v4", "median", "R2", "fourth")
    v5 = clinic.live("v5", "knn", "R2", "fifth")
    assert rollback(clinic.repo, "prod").new == v4
    add_note(clinic.repo, str(v4), "bad too", mark="bad")
    result = rollback(clinic.repo, "prod")  # v4 is live by a rollback and no longer healthy
    assert result.new == ids["v2"] and len(result.unhealthy) == 1
    assert result.unhealthy[0].startswith(f"{v5.short}: rolled back from by ana at ")
    add_note(clinic.repo, str(ids["v2"]), "after all", mark="bad")
    result = rollback(clinic.repo, "prod")
    assert result.new == ids["v1"] and result.unhealthy[-1].startswith(f"{ids['bad'].short}: rolled back from")
    assert result.unhealthy[-1].endswith("A0088")


def test_a_promotion_that_was_undone_is_no_place_to_go_back_to(night: tuple) -> None:
    clinic, ids = night
    promote(clinic.repo, "prod", str(ids["v2"]))
    clinic.live("slip", "knn", "R7", "slip")
    undo(clinic.repo)
    assert rollback(clinic.repo, "prod").new == ids["bad"]  # nothing speaks against it: v2 replaced it by promotion


def test_without_a_healthy_entry_the_answer_is_no(night: tuple) -> None:
    clinic, ids = night
    for name in ("v1", "v2"):
        add_note(clinic.repo, str(ids[name]), "no", mark="bad")
    with pytest.raises(NegativeAnswer, match="marked bad"):
        rollback(clinic.repo, "prod")
    assert clinic.repo.refresh().stages["prod"][""].commit == ids["bad"]


def test_a_target_can_be_named(night: tuple) -> None:
    clinic, ids = night
    assert rollback(clinic.repo, "prod", to="prod@{2}").new == ids["v1"]
    assert not rollback(clinic.repo, "prod", to=str(ids["v1"])).changed
    never = clinic.bundle("never live", "mean", "R5", "fifth")
    result = rollback(clinic.repo, "prod", to=str(never))
    assert result.warnings == (f"{never.short} was never live on prod",)
    with pytest.raises(UnknownRevision):
        rollback(clinic.repo, "prod", to="nowhere")


def test_a_stage_with_nothing_live_has_nothing_to_go_back_from(night: tuple) -> None:
    clinic, _ = night
    with pytest.raises(UnknownRevision, match="nothing is live on canary") as caught:
        rollback(clinic.repo, "canary")
    assert "prod" in str(caught.value.hint)


def test_objects_that_are_missing_stop_it_before_anything_moves(night: tuple) -> None:
    clinic, _ = night
    durable.remove_tree(clinic.root / ".mlver/releases/.store")
    clinic.repo.close()
    for pack in (clinic.root / ".mlver/packs").rglob("*"):
        if pack.is_file() and GOOD in pack.read_bytes():
            pack.unlink()
    repo = clinic.reopen()
    head = repo.state.id
    with pytest.raises(Damaged):
        rollback(repo, "prod")
    with pytest.raises(Damaged):
        rollback(repo, "prod", to="prod@{1}")
    repo.refresh()
    assert repo.state.id == head and os.readlink(link_of(clinic))


# -- scopes --------------------------------------------------------------------------------------


def test_one_scope_goes_back_while_the_others_stay(night: tuple) -> None:
    clinic, ids = night
    result = rollback(clinic.repo, "prod", scope="clinic=C", reason="C misses cancers")
    assert (result.old, result.new, result.undo) == (ids["bad"], ids["v2"], "mlver undo")
    assert served(result)["models/triage.joblib"] == GOOD
    assert served(link_of(clinic))["models/triage.joblib"] == b"the bad model"
    assert deployed(clinic.repo, "prod", scope="clinic=A").commit == ids["bad"]
    assert not rollback(clinic.repo, "prod", scope="clinic=C").changed
    undo(clinic.repo)
    assert deployed(clinic.repo, "prod", scope="clinic=C").commit == ids["bad"]
    assert not os.path.lexists(link_of(clinic, scope="clinic=C"))


def test_a_scope_that_everyones_rollback_covers_needs_no_entry(night: tuple) -> None:
    clinic, _ = night
    rollback(clinic.repo, "prod")
    assert not rollback(clinic.repo, "prod", scope="clinic=C").changed
    assert clinic.repo.refresh().stages["prod"].keys() == {""}


# -- only one kind -------------------------------------------------------------------------------


def test_one_kind_alone_makes_a_real_commit_and_is_called_mixed(night: tuple) -> None:
    clinic, ids = night
    result = rollback(clinic.repo, "prod", only="rules", reason="clinic C first")
    assert result.mixed == (
        f"rules of {ids['v2'].short} with model, config of {ids['bad'].short}: never committed together"
    )
    files = served(result)
    assert b"R2" in files["rules/rules.json"] and files["models/triage.joblib"] == b"the bad model"
    made = clinic.repo.commit(result.new)
    assert made.parents == (ids["bad"],) and made.message == f"rollback prod --only rules to {ids['v2'].short}"
    assert made.trailers["why"] == ("clinic C first",) and result.new not in clinic.repo.view.branches.values()
    assert result.new in {unit.commit for unit in blame(clinic.repo, "prod").units if unit.path == "rules/rules.json"}


def test_one_kind_alone_again_does_nothing_and_a_full_rollback_goes_on(night: tuple) -> None:
    clinic, ids = night
    first = rollback(clinic.repo, "prod", only="rules")
    again = rollback(clinic.repo, "prod", only="rules")
    assert not again.changed and again.new == first.new
    assert not rollback(clinic.repo, "prod", only="rules", to=str(ids["v2"])).changed
    full = rollback(clinic.repo, "prod")
    assert full.new == ids["v2"] and served(full)["models/triage.joblib"] == GOOD
    assert not rollback(clinic.repo, "prod", only="config").changed  # the whole bundle is back already


def test_kinds_can_go_back_one_after_the_other(night: tuple) -> None:
    clinic, ids = night
    for kind in ("rules", "config", "model"):
        result = rollback(clinic.repo, "prod", only=kind, to=str(ids["v2"]))
        assert result.changed
    assert served(result) == {
        "config/pipeline.json": clinic.repo.snapshot(ids["v2"]).source("config/pipeline.json").open().read(),
        "rules/rules.json": clinic.repo.snapshot(ids["v2"]).source("rules/rules.json").open().read(),
        "models/triage.joblib": GOOD,
    }


def test_a_mixture_that_is_a_commit_already_is_that_commit(night: tuple) -> None:
    clinic, _ = night
    clinic.write("rules/rules.json", [{"id": "R8", "then": "refer"}])
    changed = clinic.commit("rules only")
    promote(clinic.repo, "prod")
    result = rollback(clinic.repo, "prod", only="rules", to=f"{changed}~1")
    assert result.mixed is None and result.new == clinic.repo.resolve(f"{changed}~1")


def test_a_preview_of_one_kind_makes_no_commit(night: tuple) -> None:
    clinic, _ = night
    head = clinic.repo.state.id
    preview = rollback(clinic.repo, "prod", only="rules", dry_run=True)
    assert preview.mixed and preview.diff is not None
    assert [artifact.path for artifact in preview.diff.artifacts] == ["rules/rules.json"]
    clinic.repo.refresh()
    assert clinic.repo.state.id == head


def test_a_kind_that_is_not_there_is_a_mistake(night: tuple) -> None:
    clinic, _ = night
    with pytest.raises(UnknownRevision, match="no artifact of kind alerts"):
        rollback(clinic.repo, "prod", only="alerts")
    with pytest.raises(UsageError, match="no kind is named"):
        rollback(clinic.repo, "prod", only="ruels")


def test_derivations_stay_with_the_bytes_they_made(night: tuple) -> None:
    clinic, ids = night
    repo = clinic.repo

    def derive(path: str) -> None:
        from dataclasses import replace

        artifact = repo.work_snapshot()[path]
        with repo.store.session() as session:
            id = session.put_object(Derivation("api", (), (Used(path, artifact.id, artifact.kind),), name=path))
            session.finish()
        transact(repo, "run", lambda view: replace(view, pending={**view.pending, path: id}))

    clinic.write("models/triage.joblib", b"derived model")
    clinic.write("rules/rules.json", [{"id": "derived"}])
    derive("models/triage.joblib")
    derive("rules/rules.json")
    clinic.commit("derived")
    promote(repo, "prod")
    result = rollback(repo, "prod", only="rules", to=str(ids["v2"]))
    assert repo.commit(result.new).derivations.keys() == {"models/triage.joblib"}
