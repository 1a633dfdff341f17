"""The networks of keras.applications with random weights: written by Keras, imported, and their
outputs beside those that Keras computes. `pip install keras jax h5py`, with KERAS_BACKEND=jax:
with torch, Keras itself cuts transposed convolutions off at the other side.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy

from dotcnn.benchmarks.import_suite.table import Options, Table
from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Given, format_of

INPUT = {"MobileNetV3Large": (3, 224, 224), "MobileNetV3Small": (3, 224, 224)}
"""Of those whose file does not say it."""


def run(options: Options) -> int:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        import keras
    except ImportError:
        print("keras is not installed")
        return 0
    table = Table(options)
    with tempfile.TemporaryDirectory() as folder:
        for name in dir(keras.applications):
            make = getattr(keras.applications, name)
            if name[0].isupper() and callable(make) and options.wants(name):
                keras.utils.clear_session()
                model = make(weights=None)
                randomize(model)
                file = Path(folder) / f"{name}.keras"
                model.save(file)
                table.add(name, 0, imported(file, model, INPUT.get(name)))
                file.unlink()
    return table.sum_up()


def randomize(model: Any) -> None:
    """Weights that keep numbers in range, and statistics that are not those of the beginning."""
    random = numpy.random.default_rng(0)
    for weight in model.weights:
        name, shape = weight.path.rpartition("/")[2], weight.shape
        if "seed" in name or not str(weight.dtype).startswith("float"):
            continue
        if "variance" in name or "gamma" in name:
            values = random.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            values = random.normal(0, numpy.prod(shape[:-1]) ** -0.5, shape)
        else:
            values = random.normal(0, 0.2, shape)
        weight.assign(values.astype("float32"))


def imported(file: Path, model: Any, shape: tuple[int, ...] | None) -> Callable[[], Imported]:
    """The import, to be compared with what Keras computes."""

    def run(batches: Sequence[Any]) -> Sequence[Any]:
        theirs = numpy.array(model(numpy.moveaxis(batches[0], 1, -1), training=False))
        return [numpy.moveaxis(theirs, -1, 1)]

    def read() -> Imported:
        format = format_of(str(file))
        assert format is not None
        made = import_network(Given(str(file), input_shape=shape), format)
        return made._replace(graph=made.graph._replace(run=run))

    return read
