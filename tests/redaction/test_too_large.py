"""What was redacted is said to be, also where it was too large for its kind all along."""

from __future__ import annotations

from pathlib import Path

from mlver.kinds.code import MOST_BYTES
from mlver.verbs.diff import diff
from mlver.verbs.redact import redact
from mlver.verbs.show import ShowUnitResult, show
from tests.kit import Bench


def _shown(bench: Bench, target: str) -> str:
    found = show(bench.repo, target)
    assert isinstance(found, ShowUnitResult)
    return found.text


def test_a_file_above_the_limit_of_its_kind_is_said_to_be_redacted_and_not_to_be_large(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("gen.py", b"x = 1\n" * (MOST_BYTES // 6 + 1))
    bench.commit("large")
    assert _shown(bench, "gen.py@HEAD").endswith("larger than 16 MiB")
    redact(bench.repo, ["gen.py"], "gdpr")
    bench.write("gen.py", "x = 2\n")
    bench.commit("small")
    bench.reopen()
    (changed,) = diff(bench.repo, "HEAD~1", "HEAD").artifacts
    for said in (_shown(bench, "gen.py@HEAD~1"), changed.unreadable or ""):
        assert "was redacted by" in said and said.endswith(": gdpr") and "larger than" not in said
