"""Signatures over what was redacted since: they hold, and verify says what they no longer vouch for."""

from __future__ import annotations

import pytest

from mlver.verbs.redact import redact
from mlver.verbs.verify import verify
from tests.signatures.kit import Signed

TRAIN = "data/train.csv"


@pytest.mark.parametrize("rows", [None, "id = 1"])
def test_a_signature_holds_and_what_went_after_it_is_named(live: Signed, rows: str | None) -> None:
    live.write(TRAIN, "id,x\n1,2\n3,4\n")
    live.signed("more data")
    made = redact(live.repo, [f"{TRAIN}@HEAD"], "erasure request 1", rows=rows)
    assert made.operation is not None
    repo = live.reopen()
    result = verify(repo, ["HEAD"])
    assert result.ok and all(row.seal.holds for row in result.rows) and result.damage == ()
    (gone,) = result.redacted
    assert f"redacted by {repo.actor}" in gone.detail and f"(operation {made.operation.short})" in gone.detail
    assert gone.hurts == (f"HEAD: {TRAIN}",)


def test_a_cache_that_says_something_is_redacted_is_not_believed(live: Signed) -> None:
    live.write(TRAIN, "id,x\n1,2\n3,4\n")
    live.signed("more data")
    redact(live.repo, [f"{TRAIN}@HEAD"], "erasure request 1")
    repo = live.reopen()
    assert verify(repo, ["HEAD"]).ok
    log = repo.redactions
    blob = repo.snapshot(repo.resolve("HEAD"))["models/m.bin"].id
    one = next(iter(log().values()))
    log._found[blob] = one
    result = verify(repo, ["HEAD"])
    assert not result.ok and any(wrong.what == f"blob {blob}" for wrong in result.damage)
