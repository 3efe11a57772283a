"""What the walled-in process does: read model and table, put the walls up, load, predict, answer in JSON.

The answer is one object: `predictions` with `columns`, `by` (how they were found: `name` or `place`) and `notes`
(what libraries warn of); or `refused` (the model asks for what no model needs, or the walls do not hold here),
`cannot` (it cannot predict from this table), `missing` (a library that is not installed), each saying why.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_NUMERIC: Final = "biuf"
_NOTES: Final = 3


class Cannot(Exception):
    """The model cannot predict from this table; `str()` says why."""


def main(folder: str) -> None:
    """Answer the question in `folder` on standard output."""
    answer: dict[str, Any]
    try:
        answer = _answer(Path(folder))
    except ModuleNotFoundError as error:
        answer = {"missing": error.name or str(error)}
    os.write(1, json.dumps(answer).encode())


def _answer(folder: Path) -> dict[str, Any]:
    question = json.loads((folder / "question.json").read_bytes())
    content = (folder / "model").read_bytes()
    if question["skops"]:
        import skops.io  # noqa: F401 - before the walls are up
    import pandas  # noqa: F401
    import pyarrow as pa
    import sklearn.pipeline  # noqa: F401

    from mlver.repo.predictor.names import Forbidden
    from mlver.repo.predictor.walls import NoWalls, put_up

    frame = pa.ipc.open_stream((folder / "table").read_bytes()).read_all().to_pandas(use_threads=False)
    _warm_up()
    try:
        put_up(seconds=question["seconds"], memory=question["memory"], output=question["output"])
        return _predict(content, frame, question["aside"])
    except NoWalls as error:
        return {"refused": str(error)}
    except Forbidden as error:
        return {"refused": f"it mentions {error}, which no model of scikit-learn needs"}
    except PermissionError as error:
        said = str(error)
        return {"refused": f"it {said}" if said.startswith("tried ") else f"it tried what is not permitted: {said}"}
    except Cannot as error:
        return {"cannot": str(error)}
    except MemoryError:
        return {"cannot": "it needs more memory than it may have"}


def _warm_up() -> None:
    """Have libraries look at the machine now: inside the walls they cannot."""
    import threadpoolctl
    from sklearn.utils import parallel

    look = getattr(parallel, "_get_threadpool_controller", threadpoolctl.threadpool_info)
    look()


def _predict(content: bytes, frame: Any, aside: Sequence[str] = ()) -> dict[str, Any]:
    from mlver.repo.predictor.loading import load_model
    from mlver.repo.predictor.names import Forbidden

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = load_model(content)
            columns, by, table = _prepared(model, frame, aside)
            predicted = model.predict(table)
        except (Cannot, Forbidden, PermissionError, MemoryError, ModuleNotFoundError):
            raise
        except Exception as error:  # whatever libraries raise for a model they do not like
            raise Cannot(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}") from error
    values = predicted.tolist() if hasattr(predicted, "tolist") else list(predicted)
    if len(values) != len(frame) or any(isinstance(value, (list, dict)) for value in values[:1]):
        raise Cannot("it does not predict one value for each row")
    said = list(dict.fromkeys((str(one.message).strip().splitlines() or [""])[0] for one in caught))
    plain = [value if isinstance(value, (bool, int, float)) or value is None else str(value) for value in values]
    return {"predictions": plain, "columns": columns, "by": by, "notes": said[:_NOTES]}


def _prepared(model: Any, frame: Any, aside: Sequence[str]) -> tuple[list[str], str, Any]:
    """Return the columns a model takes, how they were found, and the table of them."""
    from sklearn.base import BaseEstimator

    if not isinstance(model, BaseEstimator) or not callable(getattr(model, "predict", None)):
        what = f"{type(model).__module__}.{type(model).__name__}".removeprefix("builtins.")
        raise Cannot(f"the file holds a {what}, not one estimator that predicts")
    model.set_params(**{name: 1 for name in model.get_params() if name.endswith("n_jobs")})  # it may start no thread
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        wanted = [str(name) for name in names]
        missing = [name for name in wanted if name not in frame.columns]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise Cannot(f"it takes columns the table does not have: {', '.join(missing[:5])}{more}")
        return wanted, "name", frame[wanted]
    rest = [name for name in frame.columns if name not in aside]
    numeric = [str(name) for name in rest if frame[name].dtype.kind in _NUMERIC]
    count = getattr(model, "n_features_in_", None)
    if count != len(numeric):
        has = f"the table has {len(numeric)} of numbers, besides key and label"
        raise Cannot(f"it names no columns and takes {count} of them; {has}")
    return numeric, "place", frame[numeric].to_numpy()
