"""What `diff --predict` returns."""

from __future__ import annotations

from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import BlobId
from mlver.objects.result import Result
from mlver.repo.predictions import Predicted
from mlver.verbs.diff_result import Side

REGRESSION, MEND, OTHER, UNKNOWN = "regression", "mend", "wrong otherwise", "unknown"


@frozen
class RanSide:
    """One side, and how it was run: `model` (path and id) by us, else None; `notes` are what libraries said."""

    side: Side
    model: str | None = None
    model_id: BlobId | None = None
    verdict: str | None = None
    notes: tuple[str, ...] = ()


@frozen
class Share:
    """`count` of `n` rows: the share, and its 95 % interval (Wilson)."""

    count: int
    n: int
    share: float
    low: float
    high: float


@frozen
class Correctness:
    """Among labelled rows: right before and now, wrong now that were right (`regressions`), the other way (`mends`).

    `net` is how many more are right now than before.
    """

    labelled: int
    right_before: int
    right_now: int
    regressions: int
    mends: int
    net: int


@frozen
class Direction:
    """Predictions that went from `old` to `new`; of numbers, that went `up` or `down`."""

    old: Predicted
    new: Predicted
    rows: int


@frozen
class SliceFlips:
    """One part of the data: a slice of mlver.toml, or `column=value`. `correct` is None without labels."""

    name: str
    flips: Share
    correct: Correctness | None = None


@frozen
class FlippedRow:
    """One row whose prediction differs: what names it, both predictions, its label, the slices it lies in.

    `verdict` is `regression`, `mend`, `wrong otherwise`, or `unknown` without a label.
    """

    key: str
    old: Predicted
    new: Predicted
    verdict: str
    label: Predicted = None
    slices: tuple[str, ...] = ()


@frozen
class PredictDiffResult(Result):
    """Two versions predicting the same rows.

    `rows` are those of the table, `flips` counts among those both versions have a prediction for. `by` says how:
    `serve` (the user's `command`) or `model`. `numeric`: predictions are amounts, that differ when they are more
    than `tolerance` apart. Slices with regressions come first, then those with most flips; `flipped` rows that are
    regressions come first, cut to the limit when `truncated`. `silent_old` and
    `silent_new` rows have no prediction on that side.
    """

    schema: ClassVar[str] = "mlver.predict-diff/v1"
    old: RanSide
    new: RanSide
    data: str
    data_id: BlobId
    by: str
    command: tuple[str, ...]
    rows: int
    silent_old: int
    silent_new: int
    numeric: bool
    tolerance: float
    flips: Share
    directions: tuple[Direction, ...]
    correct: Correctness | None
    slices: tuple[SliceFlips, ...]
    flipped: tuple[FlippedRow, ...]
    truncated: bool = False
    label: str | None = None
    columns: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every row is predicted alike, and as many by both."""
        return self.flips.count == 0 and self.silent_old == self.silent_new
