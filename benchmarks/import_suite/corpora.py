"""The files of ../shared/corpora: all imported? As many layers of the same sizes as counted?"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from dotcnn.benchmarks.import_suite.spec_lines import spec_lines
from dotcnn.benchmarks.import_suite.table import Options, Table
from dotcnn.compiler.importing.import_network import Imported, import_network
from dotcnn.compiler.importing.readers import Format, Given, format_of
from dotcnn.dsl.diagnostics import Diagnostic, SpecError

SHARED = Path(__file__).resolve().parents[3] / "shared"
FOLDER = SHARED / "corpora"
COUNTS = SHARED / "reference" / "caffe_layers.csv"

OURS = {
    "alexnet.prototxt": "alexnet_caffe", "googlenet.prototxt": "googlenet",
    "inceptionv3.prototxt": "inception_v3", "nin.prototxt": "nin", "resnet-50.prototxt": "resnet50",
    "squeezenet_v11.prototxt": "squeezenet1_1", "vgg-16.prototxt": "vgg16",
    "inceptionv4_resnet.prototxt": "inception_resnet_v2", "darknet19.cfg": "darknet19",
    "darknet53.cfg": "darknet53", "resnet18.cfg": "resnet18", "resnet50.cfg": "resnet50",
    "densenet201.cfg": "densenet201", "vgg-16.cfg": "vgg16", "resnext50.cfg": "resnext50_32x4d",
    "tiny.cfg": "tiny_darknet", "yolov3-spp.cfg": "yolov3", "densenet121.json": "densenet121",
    "mobilenet.json": "mobilenet_v1", "inception.json": "inception_v3", "xception.json": "xception",
}  # fmt: skip
"""The specs of ours that come closest; they are not always the same network."""


def run(options: Options) -> int:
    if not FOLDER.exists():
        print(f"there is no {FOLDER}")
        return 0
    table = Table(options)
    imported: dict[str, Imported] = {}
    for path in files():
        if options.wants(path.name):
            found = table.add(path.name, spec_lines(OURS.get(path.name, "")), whole_or_part(path))
            if found is not None:
                imported[path.name] = found
    faults = table.sum_up()
    compare(imported)
    return faults


def files() -> list[Path]:
    """Those that say a network; weights that lie beside one go with it."""
    return [
        path
        for path in sorted(FOLDER.glob("*/*"))
        if not (path.suffix == ".h5" and path.with_suffix(".json").exists())
    ]


def format(path: Path) -> Format:
    found = format_of(str(path))
    if found is None:
        message = f"no reader of {path.suffix} yet"
        raise SpecError([Diagnostic("import", message)])
    return found


def given(path: Path) -> Given:
    beside = path.with_suffix(".h5")
    weights = str(beside) if beside.exists() and beside != path else ""
    return Given(str(path), weights=weights)


def from_file(path: Path, *, partial: bool = False) -> Imported:
    return import_network(given(path), format(path), partial=partial)


def whole_or_part(path: Path) -> Callable[[], Imported]:
    def read() -> Imported:
        try:
            return from_file(path)
        except SpecError as error:
            if any(each.code == "cannot-say" for each in error.diagnostics):
                return from_file(path, partial=True)
            raise

    return read


# ---- beside the counts of others -----------------------------------------------------------------

KINDS = {
    "convolution": ("conv", "depthwise"), "innerproduct": ("fc",), "pooling": ("pool",),
    "concat": ("concat",), "eltwise": ("add",), "relu": ("relu",), "lrn": ("lrn",),
    "deconvolution": ("deconv",),
}  # fmt: skip


def compare(imported: dict[str, Imported]) -> None:
    """Layers of Caffe's networks by kind, ours and counted; and the size of each layer's map."""
    if not COUNTS.exists():
        return
    rows: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    with COUNTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows[row["net"]].append(row)
    print("\nours / counted by the reference; maps: layers of a name that have the same size")
    print(f"{'network':30}{''.join(f'{kind[:11]:>12}' for kind in KINDS)}{'maps':>12}")
    for name, found in imported.items():
        if name not in rows:
            continue
        layers = found.graph.layers
        cells = []
        for kind, words in KINDS.items():
            own = sum(layer.op.word.split(" ")[0] in words for layer in layers)
            counted = sum(row["type"].lower().replace("_", "") == kind for row in rows[name])
            cells.append(f"{own} / {counted}" if own or counted else "")
        sizes: dict[str, list[tuple[int, ...]]] = {}
        for layer in layers:
            sizes.setdefault(layer.name, []).append(_without_ones(layer.shape))
        both = [row for row in rows[name] if row["layer"] in sizes and _known(row)]
        same = sum(_size(row) in sizes[row["layer"]] for row in both)
        print(f"{name:30}{''.join(f'{cell:>12}' for cell in cells)}{f'{same} / {len(both)}':>12}")


def _size(row: dict[str, str]) -> tuple[int, ...]:
    return _without_ones(tuple([int(row[key]) for key in ("chOut", "hOut", "wOut")]))


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A vector is a map of one place there."""
    return shape[:1] if {*shape[1:]} <= {1} else shape


def _known(row: dict[str, str]) -> bool:
    """The reference could not follow some layers, and has `?` or `NaN` there."""
    return all(row[key].isdecimal() for key in ("chOut", "hOut", "wOut"))
