"""What is served: the model's answer, overruled by the rules. 1 refers a patient to a doctor."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

MODEL, RULES = Path("models/triage.joblib"), Path("rules/rules.json")
NOT_MEASURED = ("patient_id", "clinic", "label")


def measured(table: pd.DataFrame) -> list[str]:
    """The columns a model may look at."""
    return [name for name in table.columns if name not in NOT_MEASURED]


def load_rules(without: tuple[str, ...] = ()) -> list[dict]:
    """The rules in force, in order, but those named."""
    return [rule for rule in json.loads(RULES.read_text()) if rule["id"] not in without]


def fires(rule: dict, table: pd.DataFrame) -> np.ndarray:
    """On which rows a rule fires."""
    when = rule["when"]
    if "missing_at_least" in when:
        return (table[measured(table)].isna().sum(axis=1) >= when["missing_at_least"]).to_numpy()
    if when["op"] != ">":
        raise ValueError(f"rule {rule['id']}: unknown operator {when['op']!r}")
    return (table[when["column"]] > when["value"]).to_numpy()


def decide(table: pd.DataFrame, without: tuple[str, ...] = (), model: Path = MODEL) -> np.ndarray:
    """Who is referred: by the model, or because a rule says so. A fallback, one threshold in JSON, decides alone."""
    if model.suffix == ".json":
        rule = json.loads(model.read_text())
        return (table[rule["column"]] > rule["value"]).to_numpy(dtype=int)
    served = joblib.load(model)
    columns = list(served["fill"])
    refer = served["model"].predict(table[columns].fillna(served["fill"]))
    for rule in load_rules(without):
        refer = np.where(fires(rule, table), 1, refer)
    return refer
