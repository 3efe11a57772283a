"""Train the triage model: data/train.csv and config/pipeline.json -> models/triage.joblib."""

import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from triage import MODEL, measured


def main() -> None:
    """Fit, and store the model together with the values that fill its gaps."""
    settings = json.loads(Path("config/pipeline.json").read_text())
    table = pd.read_csv("data/train.csv")
    columns = measured(table)
    if settings["impute"] == "median":
        fill = {name: float(table[name].median()) for name in columns}
    else:
        fill = {name: float(settings["impute"]) for name in columns}
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=settings["C"], max_iter=settings["max_iter"], random_state=settings["seed"]),
    )
    model.fit(table[columns].fillna(fill), table["label"])
    MODEL.parent.mkdir(exist_ok=True)
    joblib.dump({"model": model, "fill": fill}, MODEL)
    print(f"trained on {len(table)} patients, impute {settings['impute']} -> {MODEL}")


if __name__ == "__main__":
    main()
