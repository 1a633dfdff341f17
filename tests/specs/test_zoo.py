"""Every spec of the gallery: it compiles by itself, nothing is to be said about it, its figures are
those that are published."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.network import Network
from dotcnn.dsl.files import read_file
from dotcnn.dsl.printer import print_spec
from dotcnn.dsl.program import GALLERY, Program, load_program
from dotcnn.dsl.syntax import Network as NetworkSyntax
from support import shared

FILES = sorted(GALLERY.rglob("*.cnn"))
TORCHVISION = 68
"""How many of the published networks are torchvision's."""


class Published(NamedTuple):
    params: int
    gmacs: Decimal | None
    """As printed: to a thousandth."""
    side: int
    """Of the images that the figures are for."""
    with_aux: bool
    """Whether the parameters are those of the auxiliary heads too; the multiply-adds never are."""


def published() -> dict[str, Published]:
    path = Path(__file__).with_name("published.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["model"]: Published(
                int(row["params"]),
                Decimal(row["gmacs"]) if row["gmacs"] else None,
                int(row["input"]),
                row["counts"] == "aux",
            )
            for row in csv.DictReader(file)
        }


PUBLISHED = published()


@cache
def program(path: Path) -> Program:
    return load_program(read_file(path))


def is_network(path: Path) -> bool:
    """Whether it is a spec, not a file of blocks for others to import."""
    return any(isinstance(s, NetworkSyntax) for s in program(path).main.statements)


@cache
def network(path: Path) -> Network:
    return elaborate(program(path))


NETWORKS = {path.stem: path for path in FILES if is_network(path)}

each_file = pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
each_network = pytest.mark.parametrize("name", NETWORKS)


@each_file
def test_nothing_is_to_be_said_about_it(path: Path) -> None:
    """No mistakes, and no warnings that the spec does not explain with its `allow`."""
    assert [(d.code, d.message) for d in check(program(path))] == []


@each_file
def test_it_is_laid_out_as_fmt_would(path: Path) -> None:
    assert print_spec(program(path).main) == path.read_text(encoding="utf-8")


@each_network
def test_the_graph_holds_together(name: str) -> None:
    network(NETWORKS[name]).verify()


@each_network
def test_the_header_names_the_file_and_its_source(name: str) -> None:
    """`# resnet50.cnn: He et al., 2015, arXiv:1512.03385`, or what it is where there is no paper;
    then what was new."""
    first, second, third = NETWORKS[name].read_text(encoding="utf-8").split("\n")[:3]
    page = r"[a-z.]+\.[a-z]+/\S+"  # where the network was published on no paper
    paper = rf"[^,]+, (19|20)\d\d, (arXiv:\d{{4}}\.\d{{4,5}}|doi:\S+|{page})"
    assert re.fullmatch(rf"# {name}\.cnn: ({paper}|teaching example|a small network .*)", first)
    assert second == "#"
    assert third.startswith("# ")


def test_names_are_unique() -> None:
    """`cnn report NAME` finds one spec."""
    assert len(NETWORKS) == sum(map(is_network, FILES))


# ---- figures ------------------------------------------------------------------------------------


def test_all_published_networks_are_there() -> None:
    assert set(PUBLISHED) <= set(NETWORKS)
    assert sum(figures.gmacs is not None for figures in PUBLISHED.values()) == TORCHVISION


@pytest.mark.parametrize("name", PUBLISHED)
def test_figures_are_the_published_ones(name: str) -> None:
    """Parameters to the last one, multiply-adds to the printed digits."""
    found, figures = network(NETWORKS[name]), PUBLISHED[name]
    totals = analyse(found).totals
    heads = totals.aux_params if figures.with_aux else 0
    assert found.input.shape[1:] == (figures.side, figures.side)
    assert totals.params + heads == figures.params
    if figures.gmacs is not None:
        assert abs(totals.macs - figures.gmacs * 10**9) <= 10**6 // 2


def test_the_parameters_published_for_inception_v3_are_those_of_its_auxiliary_head_too() -> None:
    totals = analyse(network(NETWORKS["inception_v3"])).totals
    assert (totals.params, totals.aux_params) == (23_834_568, 3_326_696)


def test_the_parameters_published_for_googlenet_are_not() -> None:
    # Two heads, each 128 filters 1x1 with a norm on 512 or 528 channels, fc 2048 -> 1024 -> 1000.
    totals = analyse(network(NETWORKS["googlenet"])).totals
    heads = [128 * channels + 2 * 128 + 2049 * 1024 + 1025 * 1000 for channels in (512, 528)]
    assert totals.aux_params == sum(heads)


def test_the_table_of_published_figures_is_torchvisions() -> None:
    with shared("reference/torchvision_zoo.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == TORCHVISION
    for row in rows:
        figures = PUBLISHED[row["model"]]
        given = int(row["params"]), Decimal(row["gmacs"]), int(row["crop"])
        assert (figures.params, figures.gmacs, figures.side) == given


# ---- the number of layers in a name -------------------------------------------------------------

OTHER_NUMBERS = {
    "convmixer_": "the width, and the number of blocks",
    "deeplabv3_": "the version, or that of the backbone",
    "fcn_resnet": "that of the backbone",
    "fcos_resnet50": "that of the backbone",
    **dict.fromkeys(("fpn_resnet50", "unet_resnet"), "that of the encoder"),
    "deeplabv3plus": "the version",
    "pyramid_resnet50": "that of the backbone",
    "lraspp_": "the version of the backbone",
    "retinanet_resnet50": "that of the backbone",
    "ssdlite320_": "the side of its input, and the version of the backbone",
    "ssd300_vgg16": "the side of its input, and that of the backbone",
    "yolov3": "the version",
    "cspdarknet53": "that of Darknet-53, whose stages it divides into two paths",
    **dict.fromkeys(("c3d", "mc3_", "r2plus1d_", "r3d_", "s3d", "unet3d"), "the axes"),
    "efficientnet_": "the size",
    "ecaresnet50d_": "that of ResNet-50, with three 3x3 layers in place of the first 7x7",
    "ecaresnet101d_": "that of ResNet-101, with three 3x3 layers in place of the first 7x7",
    "fbnet_": "the version",
    "ghostnet_": "the width",
    "googlenet_2014": "the year",
    "hgnetv2": "the version",
    "inception_": "the version",
    "lcnet_": "the version",
    "lenet5_1998": "layers are counted as in the paper: see below",
    "mnasnet": "the width",
    "mobilenet_": "the version",
    "airbench94": "the accuracy that it reaches",
    "pool_l2": "the norm",
    "regnet_": "multiply-adds",
    "repvgg_": "the size",
    "res2net50": "that of ResNet-50, whose 3x3 layers it divides into three in a row",
    "res2net_": "part of the word",
    "resnet_v2_": "the version",
    "densenet264_d": "that of DenseNet-264, with three 3x3 layers in place of the first 7x7",
    "resnet50_d": "that of ResNet-50, with three 3x3 layers in place of the first 7x7",
    "shufflenet_": "the version and the width",
    "squeezenet": "the version",
    "worked39": "the side of its input",
}
"""Names that hold a number, but not of their layers, by their beginning; and what it is."""

NUMBERED = [
    name
    for name in NETWORKS
    if re.search(r"\d", name) and not name.startswith(tuple(OTHER_NUMBERS))
]

IN_THE_PAPER = {
    "alexnet": 8,
    "alexnet_two_towers": 8,
    "lenet5_1998": 7,  # the two that subsample have weights there
    "googlenet": 22,
    "unet": 23,
    "xception": 36 + 1,  # "36 convolutional layers", and the last one
    "stochastic_depth": 110,
    "mobilenet_v2": 53,
}
"""The number of layers according to the paper, of networks whose name does not say it."""


def test_the_names_that_count_layers() -> None:
    assert len(NUMBERED) > 40
    assert {"vgg16", "resnet34", "resnet9", "densenet121", "dla34", "senet154"} <= set(NUMBERED)
    assert all(any(name.startswith(start) for name in NETWORKS) for start in OTHER_NUMBERS)


@pytest.mark.parametrize("name", NUMBERED)
def test_a_name_counts_the_weight_layers_of_the_longest_path(name: str) -> None:
    number = re.search(r"\d+", name)
    assert number is not None
    assert analyse(network(NETWORKS[name])).weight_layers.longest_path == int(number[0])


@pytest.mark.parametrize("name", IN_THE_PAPER)
def test_a_paper_counts_the_weight_layers_of_the_longest_path(name: str) -> None:
    counted = analyse(network(NETWORKS[name])).weight_layers
    assert counted.longest_path == IN_THE_PAPER[name]
