"""Whose keys count: the user's list, else that of the repository, which only those on it can change."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.verbs.config import set_config
from mlver.verbs.verify import verify
from tests.signatures.kit import LIST, Keys, Signed, needs_ssh, state

pytestmark = needs_ssh


def test_whoever_adds_his_own_key_unsigned_adds_nothing(clinic: Signed, keys: Keys) -> None:
    clinic.signed("good")
    clinic.act("mallory")
    clinic.write(LIST, keys.line("ana") + keys.line("mallory"))
    taken = clinic.signed("my key is on the list now")
    result = verify(clinic.repo)
    assert not result.ok and result.rows[0].seal.state == "untrusted" and result.passed_over == (taken,)
    clinic.act("ana")
    clinic.write(LIST, keys.line("ana"))
    clinic.signed("put right")
    assert verify(clinic.repo).ok and verify(clinic.repo).passed_over == ()


def test_somebody_on_the_list_may_change_it(clinic: Signed, keys: Keys) -> None:
    clinic.write(LIST, keys.line("ana") + keys.line("bob"))
    change = clinic.signed("bob joins")
    clinic.act("bob")
    clinic.signed("my first day")
    result = verify(clinic.repo)
    assert result.ok and result.rows[0].seal.by == "bob" and result.signers == f"{LIST} of commit {change.short}"


def test_taking_the_list_away_unsigned_takes_nothing_away(clinic: Signed, keys: Keys) -> None:
    clinic.write("mlver.toml", "")
    gone = clinic.commit_unsigned("no list")
    clinic.write("mlver.toml", '[policy]\nallowed_signers = "other"\n')
    clinic.write("other", keys.line("mallory"))
    clinic.act("mallory")
    new = clinic.signed("another list")
    result = verify(clinic.repo)
    assert result.rows[0].seal.state == "untrusted" and result.passed_over == (gone, new)


def test_the_users_own_list_comes_before_that_of_the_repository(clinic: Signed, keys: Keys, tmp_path: Path) -> None:
    clinic.signed("one")
    own = tmp_path / "own"
    own.write_text(keys.line("bob"))
    set_config(clinic.repo, "signing.allowed_signers", str(own))
    assert state(clinic)[0][0] == "untrusted" and verify(clinic.repo).signers == str(own)
    own.write_text(keys.line("ana"))
    assert state(clinic)[0][:2] == ("signed", "ana")
    set_config(clinic.repo, "signing.allowed_signers", str(tmp_path / "gone"))
    with pytest.raises(UsageError, match=r"signing\.allowed_signers"):
        verify(clinic.repo)


def test_without_any_list_a_sound_signature_is_untrusted(tmp_path: Path, keys: Keys) -> None:
    clinic = Signed(tmp_path / "w", keys)
    clinic.write("mlver.toml", "")
    clinic.signed("signed by ana, and there is no list any more")
    clinic.signed("one")
    assert state(clinic)[0] == ("untrusted", None, "nobody says whose keys count")


def test_an_entry_of_policy_that_makes_no_sense_is_named_with_its_line(clinic: Signed) -> None:
    clinic.write("mlver.toml", '[stages.prod]\n\n[policy]\nalowed_signers = "x"\n')
    clinic.commit_unsigned("typo")
    with pytest.raises(UsageError, match=r"^mlver\.toml:3: policy: unknown entry 'alowed_signers'"):
        verify(clinic.repo)
