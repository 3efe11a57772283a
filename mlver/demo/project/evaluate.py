"""Serve model and rules on a file and measure the answers, for everyone and for each clinic.

    python evaluate.py data/val/static.csv --out metrics/static.json
    python evaluate.py data/live/w3.csv --without R2

Labels come from the file itself, else from data/labels/. Without labels there is no accuracy and no
recall, only how many patients are referred; with some, the rest is measured on those that are known.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from triage import MODEL, decide, measured


def with_labels(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the labels known so far; NaN where a label has not arrived."""
    if "label" in table:
        return table
    arrived = [pd.read_csv(path) for path in sorted(Path("data/labels").glob("*.csv"))]
    if not arrived:
        return table.assign(label=np.nan)
    known = pd.concat(arrived).drop_duplicates("patient_id", keep="last").set_index("patient_id")["label"]
    return table.assign(label=table["patient_id"].map(known))


def measure(refer: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """The metrics of one group of patients; those that need labels only where labels are."""
    found = {"patients": len(refer), "flag_rate": rounded(refer.mean())}
    known = ~np.isnan(label)
    if known.any():
        refer, label = refer[known], label[known]
        malignant = label == 1
        found["labelled"] = int(known.sum())
        found["accuracy"] = rounded((refer == label).mean())
        found["malignant"] = int(malignant.sum())
        found["missed"] = int((refer[malignant] == 0).sum())
        found["unneeded"] = int((refer[~malignant] == 1).sum())
        if malignant.any():
            found["recall"] = rounded(refer[malignant].mean())
    return found


def rounded(value: float) -> float:
    """Three decimals: more would be noise on a hundred patients."""
    return round(float(value), 3)


def evaluate(table: pd.DataFrame, refer: np.ndarray) -> dict[str, float | dict[str, float]]:
    """Metrics of all patients, below `clinic=A` and so on those of each clinic, and those with much missing."""
    label = with_labels(table)["label"].to_numpy(dtype=float)
    metrics: dict[str, float | dict[str, float]] = dict(measure(refer, label))
    for name in sorted(table["clinic"].unique()):
        rows = (table["clinic"] == name).to_numpy()
        metrics[f"clinic={name}"] = measure(refer[rows], label[rows])
    rows = (table[measured(table)].isna().sum(axis=1) >= 3).to_numpy()
    if rows.any():
        metrics["missing=3+"] = measure(refer[rows], label[rows])
    return metrics


def main() -> None:
    """Print the metrics as JSON, or write them to a file."""
    parser = argparse.ArgumentParser(description="Measure model and rules on a file of patients.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--without", action="append", default=[], metavar="RULE", help="leave a rule out")
    parser.add_argument("--model", type=Path, default=MODEL, help="serve this one: the fallback, say")
    parser.add_argument("--out", type=Path, help="write the metrics here instead of printing them")
    arguments = parser.parse_args()
    table = pd.read_csv(arguments.data)
    metrics = evaluate(table, decide(table, tuple(arguments.without), arguments.model))
    text = json.dumps(metrics, indent=1)
    if arguments.out is None:
        print(text)
        return
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text + "\n")
    overall = {name: value for name, value in metrics.items() if not isinstance(value, dict)}
    print(f"{arguments.data}: " + ", ".join(f"{name} {value}" for name, value in overall.items()))


if __name__ == "__main__":
    main()
