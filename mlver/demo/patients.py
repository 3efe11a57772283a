"""The clinic's patients: real rows, dealt out to three clinics and to weeks.

The rows are the 569 of scikit-learn's breast cancer set (it ships inside scikit-learn, so there is
no download). A label of 1 means malignant. scikit-learn itself writes 0 for malignant, which is the
very mistake one annotator of the story makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 46
CLINICS = ("A", "B", "C")
_MEASURED = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
    "fractal dimension",
)  # fmt: skip
_SHARES = (0.4, 0.3, 0.3)
_STATIC, _HISTORY, _WEEK = 120, 200, 80
_BLANKED = 0.6  # of clinic C's patients in week 3
_ALLOWANCE = 1.25  # how far above the largest value seen a bound is set


@dataclass(frozen=True)
class Patients:
    """Tables of one world, each with patient_id, clinic, the 30 measurements and label.

    `static` is the hold-out that never changes, `history` what the first model learned from; then
    come three weeks of 80 patients. In `week3` the scanner of clinic C leaves the block of "worst"
    measurements empty for many of its patients.
    """

    static: pd.DataFrame
    history: pd.DataFrame
    week1: pd.DataFrame
    week2: pd.DataFrame
    week3: pd.DataFrame

    def truth(self) -> pd.Series:
        """The right label of every patient, by patient id, as it is known in the end."""
        everyone = pd.concat([self.static, self.history, self.week1, self.week2, self.week3])
        return everyone.set_index("patient_id")["label"]


def measurements() -> list[str]:
    """Return the names of the 30 columns a model may learn from."""
    return [form.format(of) for form in ("mean {}", "{} error", "worst {}") for of in _MEASURED]


@cache
def _source() -> pd.DataFrame:
    """Return scikit-learn's table, `target` last: read from where it lies, as importing all of that takes a second."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    path = Path(package.origin).parent / "datasets" / "data" / "breast_cancer.csv"
    names = [*measurements(), "target"]
    return pd.DataFrame(np.loadtxt(path, delimiter=",", skiprows=1), columns=names)


def bounds() -> dict[str, tuple[float, float]]:
    """Return the smallest and largest believable value of each measurement."""
    values = _source()
    return {name: (0.0, round(float(values[name].max()) * _ALLOWANCE, 6)) for name in measurements()}


def deal(seed: int = SEED) -> Patients:
    """Return the world of one seed. The same seed gives the same tables everywhere."""
    source = _source()
    random = np.random.default_rng(seed)
    order = random.permutation(len(source))
    table = source[measurements()].iloc[order].reset_index(drop=True)
    clinic = random.choice(list(CLINICS), len(table), p=list(_SHARES))
    table.insert(0, "patient_id", [f"P{number:04d}" for number in range(len(table))])
    table.insert(1, "clinic", clinic)
    table["label"] = (source["target"].to_numpy()[order] == 0).astype(int)

    parts, start = [], 0
    for size in (_STATIC, _HISTORY, _WEEK, _WEEK, _WEEK):
        parts.append(table.iloc[start : start + size].copy())
        start += size
    _blank_worst(parts[-1], random)
    return Patients(*parts)


def flip_labels(week: pd.DataFrame, clinic: str) -> pd.DataFrame:
    """Return `week` with the labels of one clinic the wrong way round."""
    wrong = week.copy()
    wrong["label"] = wrong["label"].where(wrong["clinic"] != clinic, 1 - wrong["label"])
    return wrong


def _blank_worst(week: pd.DataFrame, random: np.random.Generator) -> None:
    """Empty the "worst" measurements of some of clinic C's patients, as its scanner's firmware does."""
    at_c = week.index[week["clinic"] == "C"]
    hit = at_c[random.random(len(at_c)) < _BLANKED]
    week.loc[hit, [name for name in measurements() if name.startswith("worst")]] = np.nan
