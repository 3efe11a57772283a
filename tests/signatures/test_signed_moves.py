"""Signed promotions and rollbacks: a stage that requires them gets them; no entry passes for another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlver.errors import Refused, UsageError
from mlver.repo.settings import Settings
from mlver.repo.signature_facts import PROMOTION
from mlver.repo.transaction import transact
from mlver.verbs.branch import set_ref, switch
from mlver.verbs.check import check
from mlver.verbs.config import set_config
from mlver.verbs.deployed import deployed, ledger
from mlver.verbs.merge import merge
from mlver.verbs.promote import NotLetThrough, promote
from mlver.verbs.rollback import rollback
from mlver.verbs.undo import undo
from mlver.verbs.verify import verify
from tests.signatures.kit import Keys, Signed, needs_ssh, state

pytestmark = needs_ssh
PROD = "[stages.prod]\nrequire_signed = true\n"


def test_a_stage_that_requires_signatures_gets_them_or_nothing_moves(tmp_path: Path, keys: Keys) -> None:
    clinic = Signed(tmp_path / "w", keys, stages=PROD)
    with pytest.raises(NotLetThrough, match=r"the commit is signed: .* carries no signature"):
        promote(clinic.repo, "prod")
    clinic.signed("one")
    rows = check(clinic.repo).rows
    assert [(row.name, row.state, row.why) for row in rows] == [("signed", "met", "by ana"), ("signature", "met", "")]
    with pytest.raises(UsageError, match="wants every promotion signed"):
        promote(clinic.repo, "prod", sign=False)
    clinic.act("ana", key="mallory")
    with pytest.raises(Refused, match="your signature does not count for prod: its key is on no list"):
        promote(clinic.repo, "prod")
    assert "prod" not in clinic.repo.refresh().stages
    set_config(clinic.repo, "signing.key", None)
    assert check(clinic.repo).rows[1].state == "broken"
    clinic.act("ana")
    promote(clinic.repo, "prod")
    assert [found for found, _, _ in state(clinic, "prod")] == ["signed", "signed"]
    signed = deployed(clinic.repo, "prod").signed
    assert signed is not None and (signed.state, signed.by) == ("signed", "ana")


def test_signed_alone_asks_for_the_commit_alone(tmp_path: Path, keys: Keys) -> None:
    clinic = Signed(tmp_path / "w", keys, stages="[stages.prod]\nsigned = true\n")
    clinic.signed("one")
    promote(clinic.repo, "prod")
    assert [found for found, _, _ in state(clinic, "prod")] == ["signed", "unsigned"]
    assert verify(clinic.repo, every=True).ok, "nobody asks for a signed promotion"


def test_an_override_goes_on_record_unsigned_and_all_names_it(tmp_path: Path, keys: Keys) -> None:
    clinic = Signed(tmp_path / "w", keys, stages=PROD)
    set_config(clinic.repo, "signing.key", None)
    promote(clinic.repo, "prod", override=True, reason="INC-1")
    result = verify(clinic.repo, every=True)
    assert not result.ok
    assert [(row.action, row.seal.state, row.required) for row in result.rows] == [
        ("commit", "unsigned", True),
        ("promote", "unsigned", True),
    ]


def test_an_entry_that_comes_back_is_not_signed_again(clinic: Signed) -> None:
    clinic.signed("one")
    promote(clinic.repo, "prod", sign=True)
    clinic.signed("two")
    promote(clinic.repo, "prod", sign=True)
    assert [entry.signed is not None for entry in ledger(clinic.repo, "prod").entries] == [True, True]
    undo(clinic.repo)
    (commit, move) = verify(clinic.repo, ["prod"]).rows
    assert commit.seal.holds and (move.seal.state, move.seal.why) == ("unsigned", "put back by an undo")


def test_an_old_signed_entry_written_into_the_log_again_is_found_out(clinic: Signed) -> None:
    clinic.signed("one")
    promote(clinic.repo, "prod", sign=True)
    old = clinic.repo.view.stages
    clinic.signed("two")
    promote(clinic.repo, "prod", sign=True)
    transact(clinic.repo, "replay", lambda view: replace(view, stages=old))
    assert state(clinic, "prod")[1] == ("unsigned", None, "its signature is that of an earlier move")
    changed = {"prod": {"": replace(old["prod"][""], reason="another reason")}}
    transact(clinic.repo, "reword", lambda view: replace(view, stages=changed))
    assert state(clinic, "prod")[1][0] == "unsigned"


def test_a_promotion_that_is_not_what_was_signed_is_broken(tmp_path: Path, keys: Keys) -> None:
    one, two = Signed(tmp_path / "one", keys), Signed(tmp_path / "two", keys)
    for bench, reason in ((one, "signed"), (two, "forged")):
        bench.signed("x")
        promote(bench.repo, "prod", reason=reason, sign=bench is one)
    made = next(sig for sig in one.signatures() if sig.namespace == PROMOTION)
    two.forge(made)
    assert state(two, "prod")[1] == ("broken", None, "what was signed is not what is on record")


def test_a_rollback_is_signed_and_so_is_the_bundle_it_makes(clinic: Signed) -> None:
    clinic.live("good", "median", "R2", "good")
    clinic.live("bad", "-1", "none", "bad")
    result = rollback(clinic.repo, "prod", only="rules", to="HEAD~1", sign=True)
    assert result.mixed and [found for found, _, _ in state(clinic, "prod")] == ["signed", "signed"]
    rollback(clinic.repo, "prod", to="HEAD~1")
    assert state(clinic, "prod")[1][0] == "unsigned"


def test_settings_sign_commits_merges_and_moves(clinic: Signed) -> None:
    base = clinic.repo.view.head
    set_config(clinic.repo, "commit.sign", "true")
    set_config(clinic.repo, "promote.sign", "true")
    set_ref(clinic.repo, "branch", "side", "HEAD")
    clinic.write("notes.txt", "main\n")
    clinic.commit("on main")
    switch(clinic.repo, "side")
    clinic.write("other.txt", "side\n")
    clinic.commit("on side")
    merged = merge(clinic.repo, "main")
    assert merged.outcome == "merged" and state(clinic)[0][:2] == ("signed", "ana")
    promote(clinic.repo, "prod")
    assert verify(clinic.repo, ["prod"]).ok and verify(clinic.repo, ["prod"]).unsigned == 1
    assert clinic.commit_unsigned("but not this one") and state(clinic)[0][0] == "unsigned"
    assert base is not None


def test_true_may_be_written_as_toml_has_it(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[commit]\nsign = true\n")
    assert Settings.load(tmp_path / "config.toml", None).get("commit.sign") == "true"
