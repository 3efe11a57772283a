"""Try settings and sets of features, one commit each, in one go: what a notebook does, with nothing to write down.

Run it as `python experiments.py`, on a branch of its own.
"""

import json
import os
from datetime import datetime, timedelta
from itertools import count, product
from pathlib import Path

import joblib
import pandas as pd

import mlver

from evaluate import evaluate
from train import fit
from triage import MODEL, decide, measured

CONFIG, VALIDATION = Path("config/pipeline.json"), "data/val/static.csv"
INPUTS = ["data/train.csv", str(CONFIG), "train.py", "triage.py"]
GRID = list(product((0.001, 0.01, 0.1, 10.0), ("all", "mean", "worst")))


def main() -> None:
    """Train, measure and commit every cell of the grid; a day lies between two commits."""
    begin = datetime.fromisoformat(os.environ["MLVER_DATE"].replace("Z", "+00:00"))
    settings, table = json.loads(CONFIG.read_text()), pd.read_csv("data/train.csv")
    validation = pd.read_csv(VALIDATION)
    for day, (c, features) in zip(count(), GRID, strict=False):
        moment = begin + timedelta(days=day)
        with mlver.Repo.open(".", author="cleo", clock=mlver.frozen_clock(moment)) as repo:
            chosen = settings | {"C": c, "features": features}
            CONFIG.write_text(json.dumps(chosen, indent=1) + "\n")
            with repo.run("train", inputs=INPUTS, outputs=[str(MODEL)], command=["python", "train.py"]) as run:
                run.parameters |= {"C": c, "features": features}
                joblib.dump(fit(table, chosen), MODEL)
            commit = repo.commit().commit
            repo.metrics.add(str(commit), evaluate(validation, decide(validation)), dataset=VALIDATION)
            print(f"{moment:%d %B}: C {c}, features {features} ({len(measured(table))} measured)")


if __name__ == "__main__":
    main()
