"""Boosters inside of pickles: XGBoost and LightGBM keep the whole model there as one string of bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.lightgbm_file import parse_text
from mlver.kinds.models.paths import join
from mlver.kinds.models.ubjson import parse_ubjson
from mlver.kinds.models.values import Call, Pairs
from mlver.kinds.models.walk import Place, Walker
from mlver.kinds.models.xgboost_file import Model, is_xgboost, settings

_HANDLES: Final = {"xgboost.core.Booster": "handle", "lightgbm.basic.Booster": "_handle"}


class Boosters(Walker):
    """Collects the units of a pickle; of a booster, those of the model inside."""

    def __init__(self) -> None:
        super().__init__()
        self.importance: Callable[[], Mapping[str, float]] | None = None
        self.trees = 0

    def _object(self, place: Place, call: Call) -> Iterable[Place]:
        state = call.states[0] if len(call.states) == 1 else None
        handle = _HANDLES.get(call.name)
        if handle is None or not isinstance(state, Pairs):
            return super()._object(place, call)
        raw = state.named().get(handle if handle in state.named() else "handle")
        try:
            opened = self._xgboost(place.path, raw) if handle == "handle" else self._lightgbm(place.path, raw)
        except Unreadable:
            opened = False  # stays a string of bytes, whose digest tells it apart
        if not opened:
            return super()._object(place, call)
        rest = Pairs([pair for pair in state.pairs if pair[0] not in (handle, "handle")])
        return super()._object(place, Call(call.callee, call.args, call.kwargs, [rest], call.items, call.elements))

    def _xgboost(self, path: str, raw: Any) -> bool:
        thing = parse_ubjson(bytes(raw)) if isinstance(raw, (bytes, bytearray)) and raw[:1] == b"{" else None
        whole = thing.get("Model") if isinstance(thing, dict) else None
        if not isinstance(thing, dict) or not isinstance(whole, dict) or not is_xgboost(whole):
            return False
        model, below = Model(whole), Walker()
        model.add_to(below, path)
        below.walk(settings(thing), join(path, "config"))
        self._take(below, model)
        return True

    def _lightgbm(self, path: str, raw: Any) -> bool:
        if not isinstance(raw, str) or not raw.startswith("tree\n"):
            return False
        model, below = parse_text(raw), Walker()
        model.add_to(below, path)
        self._take(below, model)
        return True

    def _take(self, below: Walker, model: Any) -> None:
        for key, value in below.units.items():
            array = below.arrays.get(key)
            key = self.put(key, value)
            if array is not None:
                self.arrays[key] = array
        self.trees += len(model.trees)
        self.importance = model.importance if model.trees else None
