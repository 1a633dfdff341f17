"""What folding finds: labels within parts, sequences, stages, schedules, residuals without a
shortcut; the specs that some networks of ours come back as.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings

import dotcnn
from dotcnn.compiler.importing.fold import fold, unfolded
from dotcnn.compiler.importing.prove import prove
from dotcnn.compiler.importing.structure import structure
from dotcnn.compiler.importing.write import write
from dotcnn.dsl.diagnostics import SpecError
from importing.imported import as_imported
from importing.test_there_and_back import expressible
from random_networks import specs


def back(text: str) -> str:
    """A network as it comes back, proved."""
    graph = as_imported(dotcnn.compile(text))
    spec = write(fold(structure(graph)), graph.name, graph.layers)
    assert prove(graph, dotcnn.compile(spec)).different == "", spec
    return spec


def net(*lines: str) -> str:
    return "network Net {\n" + "\n".join(lines) + "\n}"


@pytest.mark.parametrize(
    "name",
    [
        "convnext_tiny", "densenet121", "dilated", "dpn", "efficientnet_b1", "hgnet",
        "mobilenet_v2", "mobilenet_v3_small", "preact18", "pyramid_resnet50", "regnet_y_400mf",
        "resnest", "unet",
    ],
)  # fmt: skip
def test_specs_of_the_gallery(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"importing/{name}.cnn", back(name))


def test_labels_within_a_part_do_not_keep_it_from_being_a_loop() -> None:
    """Each part has two layers that read a layer from before the one before them."""
    part = """
        a{0}: conv 8 3x3 same
        b{0}: conv 8 1x1
        c{0}: add a{0}
        add {{ | from b{0}, conv 8 1x1 | from c{0}, relu }}
    """
    parts = [part.format(n) for n in range(6)]
    assert "repeat 6 {" in back(net("input 8x8x8", *parts, "conv 1"))


def test_a_sequence_in_several_places_is_a_block() -> None:
    part = "conv {0} 1x1, bn, relu\ndepthwise 3x3 same, bn, relu\npool max 3x3 stride=1 same"
    parts = [f"{part.format(width)}\n{between}" for width, between in
             ((8, "tanh"), (16, "lrn 5"), (24, "sigmoid"), (32, "gelu"))]  # fmt: skip
    text = back(net("input 4x8x8", *parts))
    assert text.startswith("block")
    assert text.count("depthwise") == 1


def test_a_residual_without_shortcut_is_the_same_block() -> None:
    body = "conv {0} 1x1, relu\ndepthwise 3x3 same, relu\nconv {1} 1x1"
    stage = body.format(48, 16) + "\n" + f"residual {{\n{body.format(96, 16)}\n}}\n" * 2
    other = stage.replace("96", "144").replace("48", "96").replace("16", "24")
    text = back(net("input 8x8x8", stage, other))
    assert "residual shortcut=match {" in text
    assert "conv 6*channels 1x1, relu" in text


def test_a_schedule_is_counted() -> None:
    blocks = [
        f"residual {{\nconv 8 3x3 same, relu\nconv 8 3x3 same, droppath {0.1 * k / 7}\n}}"
        for k in range(8)
    ]
    text = back(net("input 8x8x8", *blocks))
    assert "repeat 8 as i {" in text
    assert "droppath 0.1*i/7" in text


def test_a_label_behind_a_loop_names_the_loop() -> None:
    text = back(net(
        "input 8x8x8", "conv 8 3x3 same, relu\n" * 4 + "pool max 2x2",
        "conv 16 3x3 same, relu\n" * 4 + "output a { conv 3, sigmoid }", "upsample 2",
        "output b: conv 2",
    ))  # fmt: skip
    assert text.count("repeat 4 {") == 2


def test_a_tangle_is_written_with_labels() -> None:
    """Cells that read the two before them."""
    cell = "c{0}: add {{ | from c{1}, conv 8 3x3 same, relu | from c{2}, conv 8 5x5 same, relu }}"
    cells = [cell.format(n, n - 1, n - 2) for n in range(2, 14)]
    text = back(net("input 3x8x8", "c0: conv 8", "c1: conv 8 3x3 same", *cells))
    assert "from " in text


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs())
def test_drawn_networks_come_back(text: str) -> None:
    try:
        network = dotcnn.compile(text)
    except SpecError:
        return
    if not expressible(network):
        return
    graph = as_imported(network)
    for way in (fold, unfolded):
        spec = write(way(structure(graph)), graph.name, graph.layers)
        assert prove(graph, dotcnn.compile(spec)).different == "", spec
