"""How long an import takes: ResNet-152 beside reading its file, and chains of many nodes."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from dotcnn.benchmarks.import_suite.corpora import from_file
from dotcnn.benchmarks.import_suite.modules import exported, made
from dotcnn.benchmarks.import_suite.table import Options
from dotcnn.compiler.importing.import_network import import_network
from dotcnn.compiler.importing.readers import Given, format_of
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source

SIZES = (1_000, 2_000, 5_000, 10_000, 20_000)
ROUNDS = 3


def run(options: Options) -> int:
    if options.wants("resnet152"):
        resnet152()
    for name, text in CHAINS.items():
        if options.wants(name):
            chain(name, text)
    if options.wants("onnx"):
        onnx_chain()
    return 0


def seconds(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def resnet152() -> None:
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet152.onnx"
        if format_of(path.name) is None:
            print("resnet152: no reader of .onnx yet")
            return
        exported(made("resnet152"), 224, path)
        read = seconds(lambda: onnx.load(path))
        inferred = seconds(lambda: onnx.shape_inference.infer_shapes(onnx.load(path)))
        own = seconds(lambda: from_file(path))
    print(
        f"resnet152 from ONNX: {own:.2f} s; onnx.load {read:.2f} s, with shape inference"
        f" {inferred:.2f} s: {own / inferred:.2f} times that"
    )


# ---- chains --------------------------------------------------------------------------------------

NET = "[net]\nheight=32\nwidth=32\nchannels=8\n"


def _conv(filters: int) -> str:
    return f"[convolutional]\nfilters={filters}\nsize=3\npad=1\nactivation=relu\n"


def equal(count: int) -> Iterator[str]:
    for _ in range(count // 2):
        yield _conv(8)


def varied(count: int) -> Iterator[str]:
    """Widths in no order: nothing repeats but the kind."""
    random = Random(0)
    for _ in range(count // 2):
        yield _conv(random.randrange(1, 64))


def residual(count: int) -> Iterator[str]:
    yield _conv(8)
    for _ in range(count // 5):
        yield _conv(8) + _conv(8) + "[shortcut]\nfrom=-3\nactivation=linear\n"


def concatenated(count: int) -> Iterator[str]:
    """Two ways each, side by side."""
    yield _conv(8)
    for _ in range(count // 5):
        yield _conv(4) + "[route]\nlayers=-2\n" + _conv(4) + "[route]\nlayers=-1,-3\n"


CHAINS: dict[str, Callable[[int], Iterator[str]]] = {
    "equal": equal, "varied": varied, "residual": residual, "concatenated": concatenated,
}  # fmt: skip


def chain(name: str, text: Callable[[int], Iterator[str]]) -> None:
    """Darknet files; microseconds for each layer."""
    format = format_of("chain.cfg")
    assert format is not None
    cells = []
    for size in SIZES:
        given = Given("chain.cfg", source=Source("chain.cfg", NET + "".join(text(size))))
        try:
            took = seconds(lambda given=given: import_network(given, format), rounds=1)
            cells.append(f"{size:,}: {took:.2f} s ({1e6 * took / size:.0f} us a layer)")
        except SpecError as error:
            cells.append(f"{size:,}: {error.diagnostics[0].message}")
    print(f"chain, {name}: {'; '.join(cells)}", flush=True)


def onnx_chain() -> None:
    """Convolutions and activations with weights, beside `onnx.load` and shape inference."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    if format_of("chain.onnx") is None:
        print("chain, ONNX: no reader of .onnx yet")
        return
    cells = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.onnx"
        for size in SIZES:
            nodes, weights = [], []
            for n in range(size // 2):
                weight = numpy.full((8, 8, 3, 3), 0.01, numpy.float32)
                weights.append(numpy_helper.from_array(weight, f"w{n}"))
                nodes += [
                    helper.make_node("Conv", [f"r{n - 1}" if n else "x", f"w{n}"], [f"c{n}"],
                                     kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
                    helper.make_node("Relu", [f"c{n}"], [f"r{n}"]),
                ]  # fmt: skip
            ends = [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, 16, 16])
                for name in ("x", f"r{size // 2 - 1}")
            ]
            graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], initializer=weights)
            opset = [helper.make_opsetid("", 17)]
            onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
            loaded = seconds(lambda: onnx.shape_inference.infer_shapes(onnx.load(path)), 1)
            try:
                took = seconds(lambda: from_file(path), rounds=1)
                cells.append(
                    f"{size:,}: {took:.2f} s ({1e6 * took / size:.0f} us a layer;"
                    f" loaded with shapes in {loaded:.2f} s)"
                )
            except SpecError as error:
                cells.append(f"{size:,}: {error.diagnostics[0].message}")
    print(f"chain, ONNX: {'; '.join(cells)}", flush=True)
