"""A signature holds over just what was signed, by a key that counts then, of the one who is named; else it says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlver.errors import NegativeAnswer, UsageError
from mlver.objects.encoding import encode
from mlver.objects.ids import CommitId
from mlver.repo import ssh_keys
from mlver.repo.signature_facts import COMMIT, PROMOTION, digest_of, signature_fact
from mlver.repo.transaction import record_facts
from mlver.verbs.commit import commit
from mlver.verbs.config import set_config
from mlver.verbs.log import log
from mlver.verbs.promote import promote
from mlver.verbs.show import ShowResult, show
from mlver.verbs.undo import undo
from mlver.verbs.verify import verify
from tests.signatures.kit import LIST, Keys, Signed, needs_ssh, state

pytestmark = needs_ssh


def test_a_signature_changes_no_id(tmp_path: Path, keys: Keys) -> None:
    one, two = Signed(tmp_path / "one", keys), Signed(tmp_path / "two", keys)
    assert one.signed("x") == two.commit_unsigned("x")
    assert [len(bench.signatures()) for bench in (one, two)] == [1, 0]


def test_a_signed_commit_is_verified_and_an_unsigned_one_is_said_to_be(clinic: Signed) -> None:
    id = clinic.signed("median of three")
    result = verify(clinic.repo)
    (row,) = result.rows
    assert result.ok and (row.seal.state, row.seal.by) == ("signed", "ana") and str(row.seal.key).startswith("SHA256:")
    assert (result.commits, result.unsigned) == (2, 1) and result.objects > 5 and result.operations == 3
    assert state(clinic, "HEAD~1") == [("unsigned", None, "")]
    shown = show(clinic.repo)
    assert isinstance(shown, ShowResult) and shown.signed == row.seal and shown.facts == ()
    assert log(clinic.repo).signed == {id.hex(): row.seal}


def test_the_signature_of_another_commit_is_broken(clinic: Signed) -> None:
    clinic.signed("one")
    other = clinic.commit_unsigned("two")
    clinic.forge(clinic.signatures()[0], commit=other)
    ((found, by, why),) = state(clinic)
    assert (found, by) == ("broken", None) and why == f"a signature over something else than commit {other.short}"


def test_a_forged_claim_of_what_it_is_over_is_broken_too(clinic: Signed) -> None:
    clinic.signed("one")
    other = clinic.commit_unsigned("two")
    of = digest_of(encode(clinic.repo.commit(other)))
    clinic.forge(clinic.signatures()[0], commit=other, of=of)
    assert state(clinic)[0][0] == "broken" and "incorrect signature" in state(clinic)[0][2]


def test_a_truncated_or_changed_signature_is_broken(clinic: Signed) -> None:
    id = clinic.signed("one")
    whole, data, now = clinic.signatures()[0].text, encode(clinic.repo.commit(id)), clinic.clock()
    assert ssh_keys.check(whole, COMMIT, data, None, now).fits
    changed = [whole.replace("U1NIU0lH", "U1NIU0lI"), whole.replace("BEGIN", "BEG\0IN"), f"{whole[:90]}\0{whole[91:]}"]
    for text in [*(whole[:cut] for cut in (0, 1, 40, 200, -31, -40)), *changed, whole + "x" * ssh_keys.LARGEST]:
        assert not ssh_keys.check(text, COMMIT, data, None, now).fits
    undo(clinic.repo)
    other = clinic.signed_by_hand("one", whole[:200])
    assert state(clinic, str(other))[0][0] == "broken"


def test_a_good_signature_counts_beside_bad_ones(clinic: Signed) -> None:
    clinic.signed("one")
    texts = [f"-----BEGIN SSH SIGNATURE-----\n{n}\n-----END SSH SIGNATURE-----" for n in range(30)]
    made = clinic.signatures()[0]
    record_facts(clinic.repo, "flood", [signature_fact(replace(made, text=text)) for text in texts])
    assert state(clinic)[0][:2] == ("signed", "ana")


def test_a_key_on_no_list_and_a_key_of_somebody_else_do_not_count(tmp_path: Path, keys: Keys) -> None:
    clinic = Signed(tmp_path / "w", keys, keys.line("ana") + keys.line("bob"))
    clinic.act("ana", key="mallory")
    clinic.write("config/pipeline.json", {"impute": "by mallory"})
    assert commit(clinic.repo, sign=True).warnings == ("the signature does not count here: its key is on no list",)
    assert state(clinic)[0] == ("untrusted", None, "its key is on no list")
    clinic.act("ana", key="bob")
    clinic.signed("by bob, who says to be ana")
    assert state(clinic)[0] == ("untrusted", "bob", "signed by bob, in the name of ana")
    clinic.act("bob")
    clinic.signed("by bob")
    assert state(clinic)[0][:2] == ("signed", "bob")


def test_a_namespace_keeps_promotions_and_commits_apart(clinic: Signed) -> None:
    id = clinic.signed("one")
    promote(clinic.repo, "prod", sign=True)
    made = next(one for one in clinic.signatures() if one.namespace == PROMOTION)
    assert made.commit == id
    other = clinic.commit_unsigned("two")
    clinic.forge(made, namespace=COMMIT, commit=other, stage="", scope="", on=None)
    assert state(clinic)[0][0] == "broken"


def test_a_key_counts_when_and_for_what_the_list_says(clinic: Signed, own: Path) -> None:
    clinic.signed("in April 2024")
    for options, expected in (
        ('valid-before="20240101"', "key has expired"),
        ('valid-after="20250101"', "key is not yet valid"),
        ('valid-before="20250101",valid-after="20240101"', ""),
        ('namespaces="git"', "not permitted for use in signature namespace"),
        ('namespaces="mlver-*"', ""),
    ):
        own.write_text(clinic.keys.line("ana", options))
        ((found, _, why),) = state(clinic)
        assert found == ("untrusted" if expected else "signed") and expected in why


def test_a_pattern_in_a_list_stands_for_whoever_says_to_have_made_it(tmp_path: Path, keys: Keys) -> None:
    clinic = Signed(tmp_path / "w", keys, keys.line("ana", principal="*@clinic.example"))
    clinic.act("Ana <ana@clinic.example>", key="ana")
    clinic.signed("one")
    assert state(clinic)[0][:2] == ("signed", "ana@clinic.example")
    clinic.act(f"Ana{'a' * 200_000} <ana{'a' * 200_000}@clinic.example>", key="ana")
    clinic.signed("by a name of 400 kB")
    assert state(clinic)[0][0] == "untrusted"
    clinic.act("Ana <ana@elsewhere.example>", key="ana")
    clinic.signed("two")
    assert state(clinic)[0][0] == "untrusted"


def test_the_same_mailbox_name_elsewhere_is_somebody_else(tmp_path: Path, keys: Keys) -> None:
    """A list may have two people of the name ana: each signs for herself alone."""
    both = keys.line("ana", principal="ana@clinic.example") + keys.line("bob", principal="ana@partner.example")
    clinic = Signed(tmp_path / "w", keys, both)
    for author, key, due in (
        ("ana@clinic.example", "bob", "untrusted"),
        ("Ana <ana@clinic.example>", "bob", "untrusted"),
        ("Ana <ana@partner.example>", "bob", "signed"),
        ("Ana <ana@clinic.example>", "ana", "signed"),
    ):
        clinic.act(author, key=key)
        clinic.signed(f"{author} by {key}")
        assert state(clinic)[0][0] == due, (author, key)


def test_a_key_that_stands_for_two_people_counts_for_either(tmp_path: Path, keys: Keys) -> None:
    clinic = Signed(tmp_path / "w", keys, keys.line("ana", principal="robot") + keys.line("ana"))
    for author in ("ana", "robot"):
        clinic.act(author, key="ana")
        clinic.signed(f"by {author}")
        assert state(clinic)[0][:2] == ("signed", author)


def test_a_hostile_list_trusts_nobody(clinic: Signed, own: Path) -> None:
    clinic.signed("one")
    lists = [
        b"",
        b"\n#\n",
        b"ana\n",
        b"ana ssh-ed25519 AAAA\n",
        b"\0\0",
        b"-oX=y ssh-rsa\n",
        b"ana " * 9999,
        b"\xff\xe9",
    ]
    for data in [*lists, clinic.keys.line("ana").encode()[:60], b"\0" + clinic.keys.line("ana").encode()]:
        own.write_bytes(data)
        assert state(clinic)[0][0] == "untrusted", data


def test_a_list_of_megabytes_is_refused(clinic: Signed) -> None:
    clinic.write(LIST, "#" * (1 << 20) + "\n")
    clinic.signed("one")
    with pytest.raises(UsageError, match="larger than 1048576 bytes"):
        verify(clinic.repo)
    assert log(clinic.repo).signed[str(clinic.repo.view.head)].state == "unchecked"


# -- what stands in the way ----------------------------------------------------------------------


def test_without_ssh_keygen_signing_is_one_clear_error_and_reading_goes_on(
    clinic: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = clinic.signed("one")
    monkeypatch.setattr(ssh_keys, "PROGRAM", "no-such-ssh-keygen")
    before = clinic.repo.view
    for act in (lambda: clinic.signed("two"), lambda: promote(clinic.repo, "prod", sign=True)):
        with pytest.raises(UsageError, match="no-such-ssh-keygen is not installed"):
            act()
    assert clinic.repo.refresh() == before
    with pytest.raises(UsageError, match="not installed"):
        verify(clinic.repo)
    assert log(clinic.repo).signed[id.hex()].state == "unchecked"


def test_a_key_that_does_not_sign_moves_nothing(
    clinic: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    locked, junk = tmp_path / "locked", tmp_path / "junk"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(locked)], check=True)
    junk.write_text("no key\n")
    before = clinic.repo.view
    for key in (str(locked), str(junk), str(tmp_path / "gone")):
        set_config(clinic.repo, "signing.key", key)
        with pytest.raises(UsageError, match="did not sign"):
            clinic.signed("one")
    for key in ("relative", "-y"):  # as an older version, or an editor, may have written it
        with pytest.raises(UsageError, match="absolute path"):
            ssh_keys.sign(key, COMMIT, b"")
    set_config(clinic.repo, "signing.key", None)
    with pytest.raises(UsageError, match="no key to sign with"):
        clinic.signed("one")
    assert clinic.repo.refresh() == before


def test_a_relative_path_to_a_key_or_a_list_is_refused_when_it_is_set(clinic: Signed) -> None:
    for name in ("signing.key", "signing.allowed_signers"):
        before = clinic.repo.settings.get(name)
        with pytest.raises(UsageError, match=r"absolute path, not '\.\./key'"):
            set_config(clinic.repo, name, "../key")
        assert clinic.repo.settings.get(name) == before


def test_nothing_to_commit_is_still_nothing_to_commit(clinic: Signed) -> None:
    with pytest.raises(NegativeAnswer, match="nothing to commit"):
        clinic.commit("nothing", sign=True)
    assert isinstance(clinic.repo.view.head, CommitId)
