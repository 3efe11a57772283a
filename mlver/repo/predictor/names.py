"""Which names a model may mention: what scikit-learn's own models are made of, and nothing that does anything.

A name is let through when the thing behind it is on a list here, or is a class of scikit-learn that describes
a model. Functions are named one by one. Everything else is refused before it is looked up.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator


class Forbidden(Exception):
    """A model mentions what no model needs; `str()` is the name."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EXACT: Final = _words(
    """
    builtins.object builtins.set builtins.frozenset builtins.bytes builtins.bytearray builtins.complex
    builtins.list builtins.tuple builtins.dict builtins.int builtins.float builtins.str builtins.bool
    builtins.range builtins.slice copyreg._reconstructor collections.OrderedDict collections.defaultdict
    collections.Counter collections.deque datetime.datetime datetime.date datetime.timedelta
    numpy.ndarray numpy.dtype numpy.matrix numpy._core.multiarray._reconstruct numpy._core.multiarray.scalar
    numpy._core.numeric._frombuffer numpy.ma.core.MaskedArray numpy.ma.MaskedArray numpy.ma.core._mareconstruct
    numpy.random.bit_generator.SeedSequence numpy.random.bit_generator.__pyx_unpickle_SeedSequence
    numpy.random._pickle.__randomstate_ctor numpy.random._pickle.__generator_ctor
    numpy.random._pickle.__bit_generator_ctor numpy.random._mt19937.MT19937 numpy.random._pcg64.PCG64
    scipy.sparse._csr.csr_matrix scipy.sparse._csc.csc_matrix scipy.sparse._coo.coo_matrix
    scipy.sparse._csr.csr_array scipy.sparse._csc.csc_array scipy.sparse._dia.dia_matrix
    scipy.interpolate._bsplines.BSpline scipy.interpolate._interpolate.interp1d
    sklearn.neighbors._kd_tree.newObj sklearn.neighbors._ball_tree.newObj sklearn.metrics._dist_metrics.newObj
    sklearn.feature_selection._univariate_selection.f_classif sklearn.feature_selection._univariate_selection.chi2
    sklearn.feature_selection._univariate_selection.f_regression sklearn.utils._bunch.Bunch
    sklearn.feature_selection._mutual_info.mutual_info_classif
    sklearn.feature_selection._mutual_info.mutual_info_regression
    """
)
_UFUNCS: Final = ("numpy", "scipy.special", "scipy.special._ufuncs", "numpy._core._multiarray_umath")
_NEVER: Final = ("utils", "externals", "datasets", "conftest", "experimental", "inspection", "callback", "tests")
_PARTS: Final = (  # modules whose classes are parts of models without being estimators
    "sklearn._loss.", "sklearn.tree._tree", "sklearn.tree._classes", "sklearn.neighbors._kd_tree",
    "sklearn.neighbors._ball_tree", "sklearn.metrics._dist_metrics", "sklearn.metrics._scorer",
    "sklearn.ensemble._hist_gradient_boosting.", "sklearn.ensemble._gb_losses", "sklearn.linear_model._sgd_fast",
    "sklearn.calibration", "sklearn.gaussian_process.kernels", "sklearn.compose._column_transformer",
    "sklearn.model_selection._split", "sklearn.neural_network._stochastic_optimizers",
)  # fmt: skip


def allowed(module: str, name: str) -> Any:
    """Return the thing of that name; Forbidden when a model has no business with it."""
    if module == "numpy.core" or module.startswith("numpy.core."):
        module = "numpy._core" + module[len("numpy.core") :]
    path = f"{module}.{name}"
    if "." in name or not name.isidentifier():
        raise Forbidden(path)
    if path in _EXACT:
        return _of(module, name)
    if module in _UFUNCS:
        thing = _of(module, name)
        if isinstance(thing, np.ufunc) or (isinstance(thing, type) and issubclass(thing, np.generic)):
            return thing
    if module.startswith("sklearn.") and not _never(module):
        thing = _of(module, name)
        if _of_a_model(thing, module):
            return thing
    raise Forbidden(path)


def _never(module: str) -> bool:
    parts = module.split(".")
    return parts[1] in _NEVER or "tests" in parts


def _of_a_model(thing: Any, module: str) -> bool:
    if isinstance(thing, type):
        home = thing.__module__
        if not home.startswith("sklearn.") or _never(home):
            return False
        return issubclass(thing, BaseEstimator) or f"{home}.".startswith(_PARTS)
    name = getattr(thing, "__name__", "")  # how Cython's own classes come back
    return name.startswith("__pyx_unpickle_") and f"{module}.".startswith(_PARTS)


def _of(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise LookupError(f"{module}.{name}") from None
