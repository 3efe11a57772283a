"""A short run of the campaign of swapped links, and the proof that it would see a write outside."""

from __future__ import annotations

import ctypes
import os

import pytest

from mlver.storage import beneath, openat2
from tests.fault.link_swaps import campaign

pytestmark = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "renameat2"), reason="nothing swaps names here at once")


def test_no_swapped_link_leads_a_checkout_outside() -> None:
    seen = campaign(swaps=60)
    assert seen.problems == [] and seen.swaps >= 60 and 0 < seen.refused < seen.commands


def test_a_checkout_that_follows_links_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openat2, "opener", lambda: None)
    monkeypatch.setattr(beneath, "_FOLDER", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    assert campaign(swaps=2_000, most=1).problems
