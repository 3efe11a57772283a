"""Makes the Keras files beside it. Not run by the tests: Keras does not start without a large backend.

    python -m venv keras && keras/bin/pip install keras==3.15.1 h5py==3.16.0 torch==2.13.0
    keras/bin/python make_keras.py

Written with keras 3.15.1 on torch 2.13.0, h5py 3.16.0, CPython 3.11. `keras.json` holds what Keras itself reads.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np

HERE = Path(__file__).resolve().parent


def network(units: int, rate: float) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(units, activation="relu", name="hidden"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1, activation="sigmoid", name="out"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="binary_crossentropy")
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    model.fit(x, (x[:, 0] > 0).astype("float32"), epochs=2, verbose=0)
    return model


def main() -> None:
    first = network(3, 0.01)
    first.save(HERE / "first.keras")
    first.save_weights(HERE / "first.weights.h5")
    first.save(HERE / "first.h5")
    network(3, 0.02).save(HERE / "faster.keras")
    inputs = keras.Input((2,))
    double = eval(compile("lambda x: x * 2", "double", "eval"))  # without the path of this file in its code
    keras.Model(inputs, keras.layers.Lambda(double, output_shape=(2,))(inputs)).save(HERE / "lambda.keras")
    weights = {f"{layer.name}.{i}": w.tolist() for layer in first.layers for i, w in enumerate(layer.get_weights())}
    (HERE / "keras.json").write_text(json.dumps({"keras": keras.__version__, "weights": weights}) + "\n")


if __name__ == "__main__":
    main()
