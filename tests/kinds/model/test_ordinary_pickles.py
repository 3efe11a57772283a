"""Pickles of real libraries are not accused: the verdict is what they are, and the names in them are all told."""

from __future__ import annotations

import datetime
import decimal
import io
import pickle
import pickletools
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    dummy,
    ensemble,
    feature_extraction,
    feature_selection,
    gaussian_process,
    impute,
    isotonic,
    linear_model,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.datasets import load_iris

from mlver.kinds.models.symbols import canonical
from tests.kinds.model.making import read


@cache
def iris() -> tuple[np.ndarray, np.ndarray]:
    return load_iris(return_X_y=True)


def _of(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def fitted(model: Any) -> Any:
    return model.fit(*iris())


FITTED: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: fitted(linear_model.LogisticRegression(max_iter=1000)),
    "ridge": lambda: fitted(linear_model.Ridge()),
    "lasso": lambda: fitted(linear_model.Lasso()),
    "SGD": lambda: fitted(linear_model.SGDClassifier(random_state=np.random.RandomState(0))),
    "SVC": lambda: fitted(svm.SVC()),
    "linear SVC": lambda: fitted(svm.LinearSVC()),
    "decision tree": lambda: fitted(tree.DecisionTreeClassifier()),
    "random forest": lambda: fitted(ensemble.RandomForestClassifier(3)),
    "isolation forest": lambda: fitted(ensemble.IsolationForest(n_estimators=3)),
    "gradient boosting": lambda: fitted(ensemble.GradientBoostingClassifier(n_estimators=2)),
    "histogram boosting": lambda: fitted(ensemble.HistGradientBoostingClassifier(max_iter=2)),
    "AdaBoost": lambda: fitted(ensemble.AdaBoostClassifier(n_estimators=2)),
    "voting": lambda: fitted(ensemble.VotingClassifier([("a", naive_bayes.GaussianNB())])),
    "neighbours": lambda: fitted(neighbors.KNeighborsClassifier()),
    "perceptron": lambda: fitted(neural_network.MLPClassifier((2,), solver="lbfgs", max_iter=9000)),
    "Gaussian process": lambda: fitted(gaussian_process.GaussianProcessClassifier()),
    "calibrated": lambda: fitted(calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2)),
    "grid search": lambda: fitted(model_selection.GridSearchCV(tree.ExtraTreeClassifier(), {"max_depth": [1, 2]})),
    "k-means": lambda: fitted(cluster.KMeans(2, n_init=1)),
    "PCA": lambda: fitted(decomposition.PCA(2)),
    "pipeline": lambda: fitted(pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Perceptron())),
    "columns": lambda: fitted(compose.ColumnTransformer([("a", preprocessing.MinMaxScaler(), [0, 1])])),
    "imputer": lambda: fitted(impute.SimpleImputer()),
    "selection": lambda: fitted(feature_selection.SelectKBest(k=2)),
    "isotonic": lambda: isotonic.IsotonicRegression().fit(iris()[0][:, 0], iris()[1]),
    "dummy": lambda: fitted(dummy.DummyClassifier()),
    "words": lambda: feature_extraction.text.TfidfVectorizer().fit(["one two", "two three"]),
    "encoder": lambda: preprocessing.OneHotEncoder().fit([["a"], ["b"]]),
    "unfitted": linear_model.ElasticNet,
    "XGBoost": lambda: fitted(_of("xgboost").XGBClassifier(n_estimators=2)),
    "XGBoost, the booster": lambda: fitted(_of("xgboost").XGBClassifier(n_estimators=2)).get_booster(),
    "LightGBM": lambda: fitted(_of("lightgbm").LGBMClassifier(n_estimators=2, verbose=-1)),
    "arrays": lambda: {"a": np.arange(20.0), "b": np.array(["x", "yy"]), "c": np.float32(1.5), "d": np.int64(3)},
    "masked array": lambda: np.ma.masked_less(np.arange(4), 2),
    "records": lambda: np.zeros(3, [("id", "i4"), ("at", "M8[s]")]),
    "generator": lambda: np.random.default_rng(0),
    "sparse": lambda: scipy.sparse.csr_matrix(np.eye(3)),
    "frame": lambda: pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
    "series with dates": lambda: pd.Series(pd.date_range("2024-01-01", periods=3)),
    "collections": lambda: [OrderedDict(a=1), defaultdict(list), deque([1], 3), Counter("ab"), {1, 2}, frozenset("a")],
    "scalars": lambda: [decimal.Decimal("1.5"), datetime.datetime.now(datetime.UTC), 1 + 2j, b"x", 1 << 90, None],
}  # fmt: skip


def imported(data: bytes) -> set[str]:
    """Return the names Python would look up, found by loading with a `find_class` that remembers."""
    found: set[str] = set()

    class Remembers(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add(canonical(module, name, data[1]))
            return super().find_class(module, name)

    Remembers(io.BytesIO(data)).load()
    return found


@pytest.mark.parametrize("what", FITTED)
def test_an_ordinary_pickle_is_unknown_and_all_it_imports_is_told(what: str) -> None:
    made = FITTED[what]()
    for protocol in (2, 4, 5):
        data = pickle.dumps(made, protocol)
        loaded = read(data, "models/m.pkl").loaded
        assert (loaded.verdict, loaded.running) == ("unknown", ()), protocol
        assert not loaded.oddities, protocol
        assert set(loaded.imports) == imported(data)
    stream = io.BytesIO()
    joblib.dump(made, stream)
    assert read(stream.getvalue(), "models/m.joblib").loaded.verdict == "unknown"


def test_what_a_pickle_imports_is_listed_in_the_order_of_the_file() -> None:
    data = pickle.dumps({"a": np.arange(3), "b": OrderedDict()}, 4)
    names = [op.name for op, _, _ in pickletools.genops(data) if op.name in ("GLOBAL", "STACK_GLOBAL")]
    imports = read(data, "m.pkl").loaded.imports
    assert len(imports) == len(names)
    assert imports[-1] == "collections.OrderedDict"


def test_a_function_that_runs_another_is_told_by_what_it_runs() -> None:
    assert read(pickle.dumps(partial(int, base=2)), "m.pkl").loaded.verdict == "unknown"
    assert read(pickle.dumps(partial(eval, "1")), "m.pkl").loaded.verdict == "runs code"
