"""Which model files predict, whether they may, and running them behind walls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlver.errors import Refused, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.kinds.verdicts import PLAIN, RUNS
from mlver.objects.ids import BlobId
from mlver.repo.snapshot import Snapshot

if TYPE_CHECKING:
    from mlver.repo.predictor.parent import Prediction

_FORMATS = ("pickle", "joblib", "skops")
_LARGEST = 1 << 30
_PICKLES = (".joblib", ".pkl", ".pickle", ".skops", ".sav")
_SERVE = "let your own code predict: --serve 'python predict.py {data}'"


@frozen
class ChosenModel:
    """One model file that may be run, as far as its names tell."""

    path: str
    id: BlobId
    format: str
    verdict: str
    snapshot: Snapshot


def chosen_models(
    sides: tuple[Snapshot, Snapshot], wanted: str | None, *, trust: bool
) -> tuple[ChosenModel, ChosenModel]:
    """Return the model of each side: the one named, or the only one, or the only one that differs.

    Raises UsageError when it is unclear which, or no file that can be run here, and when one is `unknown` without
    `trust`; Refused for one that runs code.
    """
    path = wanted or _path(sides)
    for side in sides:
        if path not in side:
            raise UnknownRevision(f"no model {path} in {_where(side)}", hint=f"--model PATH, or {_SERVE}")
    old, new = (_checked(side, path, trust) for side in sides)
    return old, new


def run_model(model: ChosenModel, table: bytes, aside: Sequence[str], timeout: float) -> Prediction:
    """Return what a model predicts for a table; arguments and errors are those of `predict_walled_in`."""
    from mlver.repo.predictor.parent import predict_walled_in

    source = model.snapshot.source(model.path)
    if source.size > _LARGEST:
        raise UsageError(f"{model.path} is larger than {_LARGEST >> 30} GiB", hint=_SERVE)
    with source.open() as stream:
        content = stream.read()
    name = f"{model.path} of {_where(model.snapshot)}"
    return predict_walled_in(content, table, name, aside=aside, skops=model.format == "skops", timeout=timeout)


def _path(sides: tuple[Snapshot, Snapshot]) -> str:
    old, new = ({p for p, a in side.artifacts.items() if a.kind == "model"} for side in sides)
    both = sorted(old & new)
    files = [path for path in both if path.lower().endswith(_PICKLES)]
    moved = [path for path in files if sides[0][path].id != sides[1][path].id]
    for found in (both, files, moved):
        if len(found) == 1:
            return found[0]
    said = f"which of {', '.join(both[:5])}" if both else "no model is on both sides"
    raise UsageError(f"{said}?" if both else said, hint=f"--model PATH, or {_SERVE}")


def _checked(side: Snapshot, path: str, trust: bool) -> ChosenModel:
    from mlver.kinds.model import ModelUnits

    where = f"{path} of {_where(side)}"
    if side[path].kind != "model":
        raise UsageError(f"{where} is no model, but {side[path].kind}", hint="--model PATH")
    try:
        units = side.units(path)
    except Unreadable as reason:
        raise Refused(f"{where} is not run, as it cannot be read: {reason}", hint=_SERVE) from None
    if not isinstance(units, ModelUnits):
        raise UsageError(f"{where} is no model", hint="--model PATH")
    loaded = units.loaded
    if loaded.verdict == RUNS:
        named = f" ({', '.join(loaded.running[:3])})" if loaded.running else ""
        raise Refused(f"{where} runs code when loaded{named}; it is never loaded here", hint="mlver show " + path)
    if loaded.format not in _FORMATS and not loaded.format.startswith(_FORMATS):
        raise UsageError(f"{where} is {loaded.format}, which is not run here", hint=_SERVE)
    if loaded.verdict != PLAIN and not trust:
        raise UsageError(
            f"{where} is {loaded.verdict}: its names are no proof that it only computes",
            hint="--trust runs it behind walls: mlver show " + path + " tells what it is made of",
        )
    return ChosenModel(path, side[path].id, loaded.format, loaded.verdict, side)


def _where(side: Snapshot) -> str:
    return side.commit.short if side.commit else "the work tree"
