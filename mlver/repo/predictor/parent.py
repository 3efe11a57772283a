"""Starting the walled-in process, and reading what it answers. Nothing here loads a model."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mlver.errors import NegativeAnswer, Refused, UsageError
from mlver.frozen import frozen
from mlver.repo.predictions import Predicted
from mlver.repo.programs import OUTPUT_LIMIT, ending_all, run_program
from mlver.storage.temporary import make_folder, new_file, temporary_folder

MEMORY: Final = 4 << 30  # bytes beyond those of the libraries
_START: Final = """import sys
sys.path.insert(0, sys.argv[1])
from mlver.repo.predictor.child import main
main(sys.argv[2])
"""
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_SERVE: Final = "let your own code predict: --serve 'python predict.py {data}'"


class CannotPredict(NegativeAnswer):
    """The model cannot predict from this table."""

    code = "cannot-predict"


@frozen
class Prediction:
    """What a model predicts for each row, from which columns, found by `name` or by `place`; what libraries said."""

    values: tuple[Predicted, ...]
    columns: tuple[str, ...]
    by: str
    notes: tuple[str, ...]


def predict_walled_in(
    model: bytes, table: bytes, name: str, *, aside: Sequence[str] = (), skops: bool, timeout: float
) -> Prediction:
    """Load a model in a process that can do nothing but compute, and return what it predicts for a table.

    `table` is an Arrow IPC stream, `aside` its columns that only a model that names them takes (key and label),
    `name` what the model is called in messages. Raises
    Refused when the model reaches for more than it needs or the platform has no walls, CannotPredict when it does
    not fit the table or takes longer than `timeout` seconds, UsageError when scikit-learn is not installed.
    """
    question = {
        "skops": skops,
        "aside": list(aside),
        "seconds": math.ceil(timeout) + 1,
        "memory": MEMORY,
        "output": OUTPUT_LIMIT,
    }
    with ending_all(), temporary_folder("predict") as base:
        work, notes = make_folder(base / "work"), make_folder(base / "notes")
        parts = {"model": model, "table": table, "question.json": json.dumps(question).encode()}
        for part, content in parts.items():
            with new_file(work / part) as stream:
                stream.write(content)
        root = Path(__file__).parents[3]
        command = [sys.executable, "-I", "-B", "-c", _START, str(root), str(work)]
        environment = dict.fromkeys(_ONE_THREAD, "1") | {"LC_ALL": "C.UTF-8"}
        ran = run_program(command, work, notes, environment=environment, timeout=timeout)
    if ran.timed_out:
        raise CannotPredict(f"{name} {ran.trouble}, and was stopped", hint="--timeout SECONDS")
    if ran.trouble:
        raise CannotPredict(f"{name}: the process that ran it {ran.trouble}", hint=_SERVE)
    return _read(ran.stdout, name)


def _read(said: bytes, name: str) -> Prediction:
    try:
        answer: dict[str, Any] = json.loads(said)
        if "refused" in answer:
            raise Refused(f"{name}: {answer['refused']}", hint=_SERVE)
        if "cannot" in answer:
            raise CannotPredict(f"{name}: {answer['cannot']}", hint=_SERVE)
        if "missing" in answer:
            raise UsageError(
                f"running {name} needs {answer['missing']}", hint=f"pip install 'mlver[sklearn]', or {_SERVE}"
            )
        values = tuple(_plain(value) for value in answer["predictions"])
        columns, notes = (tuple(map(str, answer[name])) for name in ("columns", "notes"))
        return Prediction(values, columns, str(answer["by"]), notes)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CannotPredict(f"{name}: the process that ran it gave no answer", hint=_SERVE) from None


def _plain(value: Any) -> Predicted:
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError("no single value")
