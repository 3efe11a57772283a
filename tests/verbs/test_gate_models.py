"""`[policy] promote` and `[stages.NAME] models`: what a release may hold, as loaders would take it."""

from __future__ import annotations

import io
import json
import lzma
import os
import pickle
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import NegativeAnswer, UsageError
from mlver.verbs.branch import set_ref
from mlver.verbs.check import check
from mlver.verbs.commit import commit
from mlver.verbs.deployed import ledger
from mlver.verbs.diff import diff
from mlver.verbs.diff_result import ArtifactDiff
from mlver.verbs.merge import merge
from mlver.verbs.promote import NotLetThrough, promote
from mlver.verbs.rollback import rollback
from mlver.verbs.switch import switch
from tests.kinds.model.shapes import PLAIN_PICKLE, npy, safetensors
from tests.verbs.stages import Clinic

PLAIN = '[policy]\npromote = "plain data"\n'
NOT_RUN = '[policy]\npromote = ["plain data", "unknown"]\n'


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "clinic")


def rows(bench: Clinic, stage: str = "prod") -> list[tuple[str, str, str]]:
    return [(row.requirement, row.state, row.why) for row in check(bench.repo, "HEAD", against=stage).rows]


def test_every_model_that_is_not_allowed_is_named_the_worst_first_and_the_rest_of_many_counted(clinic: Clinic) -> None:
    clinic.write("mlver.toml", PLAIN)
    clinic.write("models/a.pkl", pickle.dumps({"a": 1}))
    clinic.write("models/b.pkl", b"no file of a model")
    clinic.write("models/c.pkl", b"cos\nsystem\n(S'true'\ntR.")
    clinic.write("models/d.pkl", pickle.dumps({"d": 1}))
    clinic.commit("four")
    ((_, state, why),) = rows(clinic)
    assert state == "broken" and why == (
        "models/c.pkl is runs code (os.system); models/a.pkl, models/d.pkl are unknown (pickle can name code); "
        "models/b.pkl is unknown (not a pickle: byte 0x6e is no opcode)"
    )
    for number in range(10):
        clinic.write(f"models/m{number}.pkl", pickle.dumps({number: 1}))
    clinic.commit("fourteen")
    ((_, _, why),) = rows(clinic)
    assert why.count("models/") == 12 and why.endswith("; 2 more")


def test_only_plain_data_goes_live_where_the_policy_says_so(clinic: Clinic) -> None:
    clinic.write("mlver.toml", PLAIN)
    clinic.write("models/m.safetensors", safetensors())
    clinic.write("rules/rules.json", [{"id": "R1", "if": "x > 3", "then": "drop"}])
    clinic.commit("numbers alone")
    assert rows(clinic) == [("models are plain data", "met", "")]
    promote(clinic.repo, "prod")
    clinic.write("models/late.pkl", pickle.dumps({"a": 1}))
    clinic.commit("a pickle")
    with pytest.raises(NotLetThrough, match=r"models/late\.pkl is unknown") as caught:
        promote(clinic.repo, "canary")
    assert caught.value.exit_code == 1
    assert promote(clinic.repo, "canary", dry_run=True).refused == (
        "models are plain data: models/late.pkl is unknown (pickle can name code)",
    )


def test_a_policy_may_refuse_only_what_runs_code(clinic: Clinic) -> None:
    clinic.write("mlver.toml", NOT_RUN)
    clinic.write("models/m.pkl", pickle.dumps({"a": 1}))
    clinic.commit("a pickle")
    assert rows(clinic) == [("models are plain data or unknown", "met", "")]
    clinic.write("models/n.pkl", PLAIN_PICKLE)
    clinic.commit("a payload")
    assert rows(clinic)[0][1:] == ("broken", "models/n.pkl is runs code (os.system)")


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("models/weights", PLAIN_PICKLE, "config"),
        ("config/params.json", pickle.dumps([1]), "config"),
        ("models/x.bin", PLAIN_PICKLE, "code"),
        ("models/x.npy", npy([1, None], allow_pickle=True), "config"),
        ("models/x.safetensors", b"", "model"),
    ],
)
def test_no_name_and_no_kind_hides_a_model(clinic: Clinic, path: str, data: bytes, kind: str) -> None:
    clinic.write("mlver.toml", f'{PLAIN}[[artifact]]\npath = "{path}"\nkind = "{kind}"\n')
    clinic.write(path, data or safetensors()[:-3])
    clinic.commit("hidden")
    assert [row[1] for row in rows(clinic)] == ["broken"]


_LINES = b"cos\nsystem\n(S'true'\ntR."  # protocol 0: a pickle that is text
_ODD = (  # what an unpickler takes and no pickler writes, before the call
    b"", b"\x80\x01", b"N0", b"]0", b"I0x10\n0", b"F1_0.0\n0", b"S'a\\x'\n0", b"X\x01\0\0\0\xff0", b"]p-1\n0", b"(1",
)  # fmt: skip


def _tar(data: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo("pickle")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        *(odd + _LINES for odd in _ODD),
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"]0" + PLAIN_PICKLE,
        zlib.compress(PLAIN_PICKLE),
        lzma.compress(PLAIN_PICKLE, format=lzma.FORMAT_ALONE),
        _tar(PLAIN_PICKLE),
        b"{}" + safetensors() + b"PK\x05\x06" + bytes(18),
    ],
)
@pytest.mark.parametrize("kind", ["config", "file"])
def test_a_model_without_its_first_bytes_is_found(clinic: Clinic, data: bytes, kind: str) -> None:
    path = "config/pipeline.json" if kind == "config" else "models/logo.png"
    clinic.write("mlver.toml", PLAIN + '[stages.prod]\ninclude = ["config", "models/*"]\n')
    clinic.write(path, data)
    clinic.commit("hidden")
    assert clinic.repo.head_snapshot()[path].kind == kind
    assert [row[1] for row in rows(clinic)] == ["broken"]


@pytest.mark.parametrize(
    "data",
    [
        b"copyright 2024\nall rights reserved\n", b"import os\nfrom x import y\n", b"class A:\n    pass\n", b"{}\n",
        b"click\nflask\ngunicorn==2\n", b"cos\nsin\ntan\n", b"ios\nandroid\n", b"(c) ana\nand ben\n", b"x^2 + 1\n",
        b"iris\nwine\nRow\n", b"\x89PNG\r\n\x1a\n", b"\x7fELF\x02\x01", b"%PDF-1.7\n", b"None\n", b"I am.\n",
    ],
)  # fmt: skip
def test_a_text_or_a_picture_is_not_taken_for_a_model(clinic: Clinic, data: bytes) -> None:
    clinic.write("mlver.toml", PLAIN + '[stages.prod]\ninclude = ["x/*"]\n[[artifact]]\npath = "x/a"\nkind = "file"\n')
    clinic.write("x/a", data)
    clinic.write("x/b.py", data)
    clinic.commit("no model")
    assert rows(clinic) == [("models are plain data", "met", "")]


def test_a_link_is_no_plain_data(clinic: Clinic) -> None:
    clinic.write("mlver.toml", PLAIN)
    clinic.write("models/m.json", {"a": 1})
    os.symlink("m.json", clinic.root / "models" / "n.json")
    (clinic.root / ".mlver" / "config.toml").write_text('symlinks = "store"\n')
    commit(clinic.reopen(), "a link")
    assert rows(clinic)[0][1:] == ("broken", "models/n.json is unknown (a link)")


def test_what_is_not_served_is_not_asked_about(clinic: Clinic) -> None:
    clinic.write("mlver.toml", PLAIN)
    clinic.write("models/m.json", {"a": 1})
    clinic.write("data/x.npz", PLAIN_PICKLE)
    clinic.commit("data")
    assert rows(clinic)[0][1] == "met"


def test_stage_and_policy_both_hold(clinic: Clinic) -> None:
    clinic.write("mlver.toml", f'{NOT_RUN}[stages.prod]\nmodels = "plain data"\n')
    clinic.write("models/m.pkl", pickle.dumps({"a": 1}))
    clinic.commit("a pickle")
    assert rows(clinic, "prod")[0][:2] == ("models are plain data", "broken")
    promote(clinic.repo, "canary")
    done = promote(clinic.repo, "prod", override=True, reason="INC-7: no other model there is")
    assert done.warnings[0].startswith("passed over: models are plain data: models/m.pkl is unknown")
    kept = ledger(clinic.repo, "prod").entries[0].evidence
    assert kept["override"] == "override"
    assert json.dumps(kept["gate"]).count("models/m.pkl") == 1


def test_no_way_back_leads_to_what_was_never_let_through(clinic: Clinic) -> None:
    good = clinic.live("v1", "median", "R1", "good")
    clinic.write("mlver.toml", NOT_RUN)
    clinic.write("models/triage.joblib", PLAIN_PICKLE)
    bad = clinic.commit("a payload")
    for only in (None, "model"):
        with pytest.raises(NegativeAnswer, match=r"models/triage\.joblib is runs code") as caught:
            rollback(clinic.repo, "prod", to=str(bad), only=only, reason="r")
        assert "--override" in (caught.value.hint or "")
    assert clinic.repo.refresh().stages["prod"][""].commit == good
    promote(clinic.repo, "prod", str(bad), override=True, reason="r")
    rollback(clinic.repo, "prod", to=str(good))
    assert rollback(clinic.repo, "prod", to=str(bad)).new == bad  # it was live: going back is never held up


def test_no_other_way_to_promote_leaves_the_policy_out(clinic: Clinic) -> None:
    clinic.write("mlver.toml", PLAIN)
    clinic.commit("a policy")
    set_ref(clinic.repo, "branch", "evil", "HEAD")
    switch(clinic.repo, "evil")
    clinic.write("mlver.toml", "[people.ana]\n")  # a commit's own policy is not asked
    clinic.write("models/m.pkl", PLAIN_PICKLE)
    clinic.commit("a payload")
    switch(clinic.repo, "main")
    ways: tuple[dict[str, Any], ...] = (
        {"scope": "clinic=C"}, {"percent": 5}, {"skip": True, "reason": "r"}, {"stage": "no-such-stage"},
    )  # fmt: skip
    for way in ways:
        with pytest.raises(NotLetThrough, match="runs code"):
            promote(clinic.repo, **{"stage": "prod", "rev": "evil", **way})
    clinic.write("b.json", {"b": 1})
    clinic.commit("meanwhile")
    assert merge(clinic.repo, "evil").outcome == "merged"
    clinic.write("mlver.toml", PLAIN)
    clinic.commit("the policy again")
    with pytest.raises(NotLetThrough, match="runs code"):
        promote(clinic.repo, "prod")


def test_the_fallback_counts_though_the_release_leaves_it_out(clinic: Clinic) -> None:
    clinic.write("mlver.toml", PLAIN + '[stages.prod]\ninclude = ["rules"]\nfallback = "models/simple.pkl"\n')
    clinic.write("models/simple.pkl", PLAIN_PICKLE)
    clinic.commit("a fallback")
    assert rows(clinic)[0][1:] == ("broken", "models/simple.pkl is runs code (os.system)")


def test_a_mistyped_policy_lets_nothing_through(clinic: Clinic) -> None:
    clinic.write("models/m.json", {"a": 1})
    for text, word in (
        ('[policy]\npromote = "safe"\n', "no verdict on a model is called 'safe'"),
        ('[policy]\npromote = "unknown"\n', "must name 'plain data'"),
        ("[policy]\npromote = true\n", "expected a text"),
        ("[policy]\npromotes = []\n", "unknown entry 'promotes'"),
        ('[stages.prod]\nmodels = "plain"\n', "no verdict on a model is called 'plain'"),
    ):
        clinic.write("mlver.toml", text)
        clinic.commit("a policy") if text else None
        with pytest.raises(UsageError, match=word) as caught:
            promote(clinic.repo, "prod")
        assert caught.value.message.startswith("mlver.toml:1: ")


def _artifact(bench: Clinic) -> ArtifactDiff:
    return diff(bench.repo, "HEAD~1", "HEAD").artifacts[0]


def test_a_diff_says_first_that_the_verdict_changed(clinic: Clinic) -> None:
    clinic.write("mlver.toml", '[[artifact]]\npath = "models/m"\nkind = "model"\n')
    clinic.write("models/m", b'{"a": 1}')
    clinic.commit("numbers")
    clinic.write("models/m", PLAIN_PICKLE)
    clinic.commit("a payload")
    assert "loading it: plain data → runs code" in _artifact(clinic).summary
    clinic.write("models/m", PLAIN_PICKLE[:-1])
    clinic.commit("a payload, and then it breaks")
    assert "before that it runs code: os.system" in (_artifact(clinic).unreadable or "")
