"""Train the triage model: data/train.csv and config/pipeline.json -> models/triage.joblib."""

import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from triage import MODEL, measured


def fit(table: pd.DataFrame, settings: dict) -> dict[str, Pipeline | dict[str, float]]:
    """The model, and the values that fill its gaps; of all columns, or those that begin as `features` says."""
    wanted = settings.get("features", "all")
    columns = [name for name in measured(table) if wanted in ("all", name.split()[0])]
    if settings["impute"] == "median":
        fill = {name: float(table[name].median()) for name in columns}
    else:
        fill = {name: float(settings["impute"]) for name in columns}
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=settings["C"], max_iter=settings["max_iter"], random_state=settings["seed"]),
    )
    return {"model": model.fit(table[columns].fillna(fill), table["label"]), "fill": fill}


def main() -> None:
    """Train and store."""
    settings = json.loads(Path("config/pipeline.json").read_text())
    table = pd.read_csv("data/train.csv")
    MODEL.parent.mkdir(exist_ok=True)
    joblib.dump(fit(table, settings), MODEL)
    print(f"trained on {len(table)} patients, impute {settings['impute']} -> {MODEL}")


if __name__ == "__main__":
    main()
