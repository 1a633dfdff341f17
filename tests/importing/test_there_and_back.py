"""Our own networks as imported ones: with the program lost, the folded graph is the same network,
in about as few lines.
"""

from __future__ import annotations

import pytest

import dotcnn
from dotcnn.compiler.importing.fold import fold, unfolded
from dotcnn.compiler.importing.prove import prove
from dotcnn.compiler.importing.structure import structure
from dotcnn.compiler.importing.write import write
from dotcnn.compiler.network import Network
from dotcnn.compiler.ops.merge import Chunk
from dotcnn.compiler.ops.scale import Scaled
from dotcnn.dsl import gallery
from importing.imported import as_imported


def expressible(network: Network) -> bool:
    """Whether all its operations have words, and one input but for merges."""
    merges = ("add", "mul", "maximum", "concat")
    plain = all(
        len(node.inputs) < 2 or node.op.word in merges
        for node in network.nodes
        if node.op.word or isinstance(node.op, Scaled)
    )
    known = all(node.op.word or isinstance(node.op, (Scaled, Chunk)) for node in network.nodes)
    return (
        plain
        and known
        and len(network.inputs) == 1
        and not any(node.shared for node in network.nodes)
    )


def back(name: str) -> str:
    network = dotcnn.compile(name)
    graph = as_imported(network)
    text = write(fold(structure(graph)), graph.name, graph.layers)
    assert prove(graph, dotcnn.compile(text)).different == "", text
    return text


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("resnet50", 19), ("densenet121", 28), ("inception_v3", 75), ("mobilenet_v2", 27),
        ("efficientnet_b0", 42), ("vgg16", 15), ("squeezenet1_1", 21), ("unet", 34),
        ("yolov3", 43), ("googlenet", 46), ("regnet_y_400mf", 24), ("s3d", 39), ("vae_encoder", 9),
    ],
)  # fmt: skip
def test_networks_come_back(name: str, lines: int) -> None:
    text = back(name)
    assert sum(bool(line.strip()) for line in text.splitlines()) <= lines, text


@pytest.mark.slow
@pytest.mark.parametrize("name", gallery.names())
def test_all_of_the_gallery(name: str) -> None:
    if expressible(dotcnn.compile(name)):
        back(name)


def test_stages_are_loops() -> None:
    """The stages of ResNet-50 as its spec has them."""
    text = back("resnet50")
    assert (
        "for width, stride, depth in [(64, 1, 3), (128, 2, 4), (256, 2, 6), (512, 2, 3)] {" in text
    )
    assert "    bottleneck width stride=stride\n    repeat depth - 1 { bottleneck width }\n" in text


def test_without_blocks_and_loops_it_is_the_same_network() -> None:
    graph = as_imported(dotcnn.compile("squeezenet1_1"))
    text = write(unfolded(structure(graph)), graph.name, graph.layers)
    assert prove(graph, dotcnn.compile(text)).different == ""


SAME = "network Net { input 3x8x8, a: conv 8 3x3 same, residual { conv 8 3x3 same }, concat a }"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("residual { conv 8 3x3 same }", "residual { conv 8 1x1 }"),
        ("residual { conv 8 3x3 same }", "residual { conv 8 3x3 same bias=off }"),
        ("residual { conv 8 3x3 same }", "conv 8 3x3 same"),
        ("residual { conv 8 3x3 same }", "gate { conv 8 3x3 same }"),
        (", concat a", ", concat { | from a | }"),
        (", concat a", ", concat { | | from a, relu }"),
        (", concat a", ""),
        ("input 3x8x8", "input 3x9x9"),
        ("a: conv 8 3x3 same,", "a: conv 8 3x3 same, relu,"),
    ],
)
def test_another_network_is_no_proof(old: str, new: str) -> None:
    graph = as_imported(dotcnn.compile(SAME))
    assert prove(graph, dotcnn.compile(SAME)).different == ""
    assert prove(graph, dotcnn.compile(SAME.replace(old, new))).different != ""


def test_two_equal_layers_are_not_one_used_twice() -> None:
    one = "network Net { input 3x8x8, a: conv 8, concat { | relu | tanh } }"
    two = "network Net { input 3x8x8, concat { | conv 8, relu | conv 8, tanh } }"
    assert prove(as_imported(dotcnn.compile(one)), dotcnn.compile(two)).different != ""


def test_nested_concatenations_count_as_one() -> None:
    flat = "network Net { input 3x8x8, concat { | conv 8 | conv 4 | conv 2 } }"
    nested = "network Net { input 3x8x8, concat { | conv 8 | concat { | conv 4 | conv 2 } } }"
    assert prove(as_imported(dotcnn.compile(flat)), dotcnn.compile(nested)).different == ""
