"""The three words on what loading a model file would do. There is none for "safe": nobody can know that."""

from __future__ import annotations

from typing import Final

PLAIN: Final = "plain data"
UNKNOWN: Final = "unknown"
RUNS: Final = "runs code"
VERDICTS: Final = (PLAIN, UNKNOWN, RUNS)
