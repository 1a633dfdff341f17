"""On the page, every operation computes as it does in Python: its code is translated."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.load_spec import load
from dotcnn.compiler.network import Node
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.ops.worked import Element
from dotcnn.dsl.source import Source
from dotcnn.training.show.page.arithmetic import Arithmetic
from dotcnn.training.show.page.page_html import file_text
from dotcnn.training.show.page.to_javascript import Program

NODE = shutil.which("node")

UNUSUAL = """\
conv 4 3x2 stride=2 dilation=2 pad=2 mode=circular bias=off, conv 6 3x3 groups=2 same_upper stride=2
depthwise 3x3 multiplier=2 mode=reflect pad=1, separable 5 3x3 multiplier=2 mode=replicate pad=1
deconv 6 3x3 stride=2 pad=1 output_pad=1 groups=2, deconv 3 2x2 dilation=2
pool max 3x3 stride=2 pad=1 dilation=2, pool avg 3x3 stride=2 pad=1 ceil count_pad=off
pool avg adaptive=3x5, pool max adaptive=5x3, pool min 2x3 ceil, pool lp 3x3 p=1.5 pad=1
pool mixed 3x3 per=channel ceil stride=2, pool tree 3x3 levels=3 stride=2 pad=1, pool l2 global
pool wavelet keep=all, spp 3 2 1 avg, pad 2 value=0.5, pad left=3 mode=replicate
pad top=2 right=1 mode=circular, crop 4x5 top=1, upsample 3 mode=bilinear align_corners=on
upsample to=7x9 mode=bicubic, upsample to=17x5, bn affine=bias, bn affine=off track=off
gn 4 affine=off, instancenorm affine=on, lrn 4 alpha=0.5 k=2, prelu per=channel, elu 0.5
gelu approximate=tanh, softplus beta=3 threshold=2, leaky 0.2, dropout 0.25, filter scharr 3x3 same
filter line same stride=2, filter gaussian 5x5 sigma=1.2 mode=reflect pad=2, permute (2, 0, 1)
condconv 4 3x3 experts=2 groups=2 mode=reflect pad=1, blurpool 4 stride=3, depth_to_space 2
reshape 8x64x32, reshape 16384, shuffle 4, scale_by -0.3, conv 2 1x1, softmax
"""

BLOCKS = (
    "conv 24, attention heads=2 windows=3 halo=1 position=bias",
    "attention heads=4 { | conv 16 | conv 4 3x3 stride=2 | conv 6 3x3 stride=2 }",
    "conv 13, lambda_layer heads=2 key=3 kernel=3",
    "bilinear_attention 3 { | | pool max adaptive=3x1, conv 9 3x1 | pool avg global, conv 9 }",
    "condconv 4 experts=3 { pool avg global, flatten, fc 3, softmax }",
    "split { | relu | tanh }",
    "residual scale=0.5 { conv 16 3x3 same }",
    "residual shortcut=pad { conv 24 3x3 same stride=2 }",
)


ALONG_OTHER_AXES = """\
conv 4 3 stride=2 mode=reflect pad=1, pool wavelet keep=all, pixel_unshuffle 2, space_to_depth 2
pixel_shuffle 2, depth_to_space 2, condconv 4 3 experts=2 groups=2, fourier_position 4, blurpool
deconv 4 3 stride=2, pool avg 2, upsample 2, bn, ln, rmsnorm, evonorm_b0, pad 1, crop 3, layerscale
"""
OF_OTHER_AXES = (
    "conv 24, attention heads=2 windows=2 halo=1 position=relative",
    "conv 24, attention heads=2 grid=2 position=bias",
    "conv 24, cross_covariance heads=2",
    "matmul transpose { | | conv 16 }",
)


def value(image: int, input: int, channel: int, *position: int) -> float:
    along = sum(step * at for step, at in zip((11, 7, 13), position, strict=False))
    return _part(37 * channel + along + 5 * input + 3 * image, 23, 9)


def weight(name: str, index: tuple[int, ...]) -> float:
    total = len(name) + sum((axis + 2) * 13 * each for axis, each in enumerate(index))
    return _part(total, 17, -1 if name == "running_var" else 5)


def _part(total: int, steps: int, less: int) -> float:
    return (total % steps - less) / 8


def layers() -> list[Node]:
    """Every operation by its example, and with unusual arguments."""
    texts = [op.example for op in REGISTRY.values() if op.example and op.word != "input"]
    unusual = [each for line in UNUSUAL.splitlines() for each in _split(line)]
    given = []
    for text in (*texts, *unusual, *BLOCKS):
        side = 32 if "reshape" in text or "crop" in text else 12
        given.append((f"16x{side}x{side}", text))
    others = [each for line in ALONG_OTHER_AXES.splitlines() for each in _split(line)]
    given += [(s, t) for s in ("16x8", "16x4x6x8") for t in (*others, *OF_OTHER_AXES)]
    found = []
    for shape, text in given:
        spec = f"network n {{ input {shape}, relu, {text} }}\n"
        network = elaborate(load(Source("n.cnn", spec)))
        found += [node for node in network.nodes[2:] if node.inputs]
    return found


def _split(line: str) -> list[str]:
    """`a, b (1, 2)`: two."""
    parts = [""]
    for each in line.split(", "):
        parts[-1] += (", " if parts[-1] else "") + each
        if parts[-1].count("(") == parts[-1].count(")"):
            parts.append("")
    return parts[:-1]


def in_python(node: Node, element: dict[str, Any]) -> dict[str, Any]:
    def reader(image: int) -> Any:
        return lambda *place: value(image, *place)

    worked = node.op.work_out(
        Element(
            tuple(element["at"]), node.shape, node.input_shapes, reader(0), weight,
            training=element["training"], others=[reader(1)], actual=element["actual"],
        )
    )  # fmt: skip
    return {
        "rule": worked.rule,
        "result": worked.result,
        "formula": worked.formula,
        "note": worked.note,
        "additive": worked.additive,
        "groups": [[group.name, group.how, len(group.terms)] for group in worked.groups],
        "lines": [list(line) for line in worked.lines()],
    }


@pytest.mark.slow
@pytest.mark.skipif(NODE is None, reason="there is no node")
def test_operations_compute_in_the_page_as_in_python() -> None:
    nodes = layers()
    assert {type(node.op) for node in nodes} >= {
        op for op in REGISTRY.values() if op.word != "input"
    }
    arithmetic = Arithmetic(nodes)
    elements = []
    for number, node in enumerate(nodes):
        operation = arithmetic.operation(node)
        assert operation is not None
        corners = [[0] * len(node.shape), [side - 1 for side in node.shape]]
        middle = [(5 * axis + number) % side for axis, side in enumerate(node.shape)]
        for training, at in ((False, corners[number % 2]), (True, middle)):
            elements.append(
                {
                    "type": operation["type"],
                    "values": operation["arguments"],
                    "at": at,
                    "output": node.shape,
                    "inputs": node.input_shapes,
                    "training": training,
                    "actual": 0.0 if number % 3 else 1.25,
                    "node": number,
                }
            )
    script = file_text("python.js") + arithmetic.script
    reader = Path(__file__).with_name("worked_in_javascript.js")
    assert NODE is not None
    run = subprocess.run(
        [NODE, str(reader)],
        input=json.dumps({"script": script, "elements": elements}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for element, found in zip(elements, json.loads(run.stdout), strict=True):
        node = nodes[element["node"]]
        expected = in_python(node, element)
        result, own = expected.pop("result"), float(found.pop("result").replace("Infinity", "inf"))
        assert own == pytest.approx(result, rel=1e-9, abs=1e-12, nan_ok=True), (node.op, element)
        assert found == expected, (node.op, element["at"])


class Partly:
    """A class of which a part has no translation."""

    def works(self, a: float, *others: float, scale: float = 1.0) -> float:
        return math.sqrt(sum(each**2 for each in (a, *others))) * scale

    def fails(self, a: float) -> float:
        with open(str(a)):
            return a


def test_what_has_no_translation_is_left_out_and_named() -> None:
    program = Program([Partly], called=["works", "fails"])
    assert list(program.left_out) == ["Partly.fails"]
    assert program.left_out["Partly.fails"].endswith(": With")
    assert "works" in program.text
    assert "fails" not in program.text
