"""The networks of the gallery beyond torchvision's: their figures against those of their papers, of
their authors' pages and of other people's code; two with the weights that they were trained to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy
import pytest
import torch
from torch import Tensor, nn

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.network import Network, Node
from dotcnn.compiler.shapes import Shape, size
from interpreter import Interpreter
from networks import gallery
from support import shared

# ---- figures ------------------------------------------------------------------------------------

TIMM = {
    # timm 1.0.31, under the names behind; multiply-adds as torch.utils.flop_counter counts those of
    # timm's modules, on images of the size that the spec has.
    "convmixer/convmixer_1536_20": (51_625_960, 51_099_168_768),  # convmixer_1536_20
    "convmixer/convmixer_768_32": (21_110_248, 20_676_851_712),  # convmixer_768_32
    "darknet/cspdarknet53": (27_642_184, 6_533_652_480),  # cspdarknet53
    "darknet/darknet53": (41_609_928, 9_285_115_904),  # darknet53
    "dla/dla34": (15_742_104, 3_060_043_776),  # dla34
    "ghostnet/ghostnet_1_0": (5_182_508, 141_150_512),  # ghostnet_100
    "mixnet/mixnet_s": (4_134_606, 239_173_360),  # mixnet_s
    "repvgg/repvgg_a0": (9_108_968, 1_512_581_120),  # repvgg_a0
    "repvgg/repvgg_a0_folded": (8_309_384, 1_361_451_008),  # the same, with its own folding
    "res2net/res2net50_26w_4s": (25_699_120, 4_255_166_464),  # res2net50_26w_4s
    "resnet/resnet50_d": (25_576_264, 4_328_824_832),  # resnet50d
    "senet/senet154": (115_088_984, 20_688_363_520),  # legacy_senet154
    "senet/seresnet50": (28_088_024, 3_860_488_192),  # legacy_seresnet50
    "xception/xception": (22_855_952, 8_357_403_496),  # legacy_xception
}

PARAMETERS = {
    "cifar/resnet8": 78_186,  # of the trained weights: 78,666 with 480 means and variances
    "cifar/resnet9": 6_573_120,  # davidcpage/cifar10-fast, dawn.py
    "darknet/darknet19": 20_842_376,  # darknet19.cfg; at 4 bytes, the 80 MB of pjreddie.com
    "darknet/tiny_darknet": 1_042_104,  # of the trained weights; at 4 bytes, 4.0 MB there
    "records/airbench94": 1_971_640,  # the layers of KellerJordan/cifar10-airbench, airbench94.py
    "unet/unet": 31_030_658,  # jakeret/tf_unet with 5 layers, 64 features and 2 classes
    "unet/unet_same": 31_037_698,  # milesial/Pytorch-UNet for 3 channels and 2 classes
    "xception/xception": 22_855_952,  # the paper's table 3
}

MULTIPLY_ADDS = {
    # In billions. Some papers round, others leave out what does not fit.
    "dla/dla34": "3.1",
    "ghostnet/ghostnet_1_0": "0.141",
    "repvgg/repvgg_a0_folded": "1.4",
    "res2net/res2net50_26w_4s": "4.2",
    "resnet/resnet50_d": "4.3",
    "senet/senet154": "20.7",
    "senet/seresnet50": "3.87",
}

OPERATIONS = {
    # In billions, two for each multiply-add.
    "darknet/cspdarknet53": "13.07",  # WongKinYiu/CrossStagePartialNetworks
    "darknet/darknet19": "5.58",  # the paper
    "darknet/darknet53": "18.57",  # pjreddie.com/darknet/imagenet
    "darknet/tiny_darknet": "0.98",  # pjreddie.com/darknet/tiny-darknet
}

WEIGHTS = {
    # In millions; those that are multiplied, without biases and norms. WongKinYiu's page again.
    "darknet/cspdarknet53": "27.61",
    "darknet/darknet53": "41.57",
}


@cache
def network(name: str) -> Network:
    return gallery(name)


def as_printed(found: float, printed: str) -> bool:
    """Whether a figure is one that was printed, rounded in either direction."""
    last_digit = 10.0 ** -len(printed.partition(".")[2])
    return abs(found - float(printed)) < last_digit


@pytest.mark.parametrize("name", TIMM)
def test_parameters_and_multiply_adds_are_those_of_timm(name: str) -> None:
    totals = analyse(network(name)).totals
    assert (totals.params, totals.macs) == TIMM[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name: str) -> None:
    assert analyse(network(name)).totals.params == PARAMETERS[name]


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_multiply_adds_are_the_published_ones(name: str) -> None:
    assert as_printed(analyse(network(name)).totals.macs / 1e9, MULTIPLY_ADDS[name])


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_the_published_ones(name: str) -> None:
    assert as_printed(analyse(network(name)).totals.flops / 1e9, OPERATIONS[name])


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_the_published_ones(name: str) -> None:
    tensors = (weight.shape for node in network(name).nodes for weight in node.weights)
    found = sum(size(shape) for shape in tensors if len(shape) > 1)
    assert as_printed(found / 1e6, WEIGHTS[name])


# ---- shapes -------------------------------------------------------------------------------------


def shapes(name: str, *words: str) -> list[Shape]:
    return [node.shape for node in network(name).nodes if node.op.word in words]


def test_u_net_has_the_sizes_of_the_papers_figure() -> None:
    sides = [shape[1] for shape in shapes("unet/unet", "conv")]
    down = [570, 568, 282, 280, 138, 136, 66, 64, 30, 28]
    up = [54, 52, 102, 100, 198, 196, 390, 388]
    assert sides == [*down, *up, 388]
    assert shapes("unet/unet", "crop")[0] == (512, 56, 56)
    assert network("unet/unet").output.shape == (2, 388, 388)


def test_u_net_has_23_convolutions() -> None:
    """So the paper says; those of the way up that make the map larger count."""
    assert len(shapes("unet/unet", "conv", "deconv")) == 23


def test_padded_u_net_says_something_about_each_pixel() -> None:
    assert network("unet/unet_same").output.shape == (2, 512, 512)


def test_a_crossing_connection_reaches_the_root_of_a_tree() -> None:
    """What leaves two blocks, what entered the stage, and the smaller tree: 128 channels each, but
    64 entered."""
    roots = [node for node in network("dla/dla34").nodes if node.op.word == "concat"]
    widths = [[source.shape[0] for source in root.inputs] for root in roots]
    assert [2 * 128, 64, 128] in widths


def test_darknet_53_has_53_layers_with_weights() -> None:
    assert len(shapes("darknet/darknet53", "conv", "fc")) == 53


# ---- what they compute --------------------------------------------------------------------------


def modules(model: Interpreter, *kinds: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.held.values() if isinstance(module, kinds)]


def load(module: nn.Module, weights: Mapping[str, numpy.ndarray], name: str) -> None:
    """Weights of one layer; it has to have all of them, and of the same shapes."""
    found = {
        key.removeprefix(f"{name}."): torch.from_numpy(weights[key])
        for key in weights
        if key.startswith(f"{name}.")
    }
    if isinstance(module, nn.BatchNorm2d):
        found["num_batches_tracked"] = torch.tensor(0)
    module.load_state_dict(found)


def as_if_trained(bn: nn.Module) -> None:
    """With statistics and weights that are not those of the beginning."""
    assert isinstance(bn, nn.BatchNorm2d)
    for tensor, mean, deviation in (
        (bn.running_mean, 0.0, 0.1),
        (bn.running_var, 1.0, 0.1),
        (bn.weight, 0.4, 0.1),
        (bn.bias, 0.0, 0.1),
    ):
        assert tensor is not None
        nn.init.normal_(tensor, mean, deviation)


def folded(model: Interpreter, norm: Node) -> tuple[Tensor, Tensor]:
    """The 3x3 filters and the bias that do what a path does which ends in this norm: a convolution
    and the norm, or the norm alone."""
    bn, before = model.held[str(norm.index)], norm.inputs[0]
    assert isinstance(bn, nn.BatchNorm2d)
    assert bn.running_mean is not None
    assert bn.running_var is not None
    if before.op.word == "conv":
        weight = model.held[str(before.index)].weight
    else:
        weight = torch.eye(before.shape[0], dtype=torch.float64)[:, :, None, None]
    assert isinstance(weight, Tensor)
    factor = bn.weight / (bn.running_var + bn.eps).sqrt()
    around = (3 - weight.shape[-1]) // 2
    filters = nn.functional.pad(weight * factor[:, None, None, None], [around] * 4)
    return filters, bn.bias - bn.running_mean * factor


@torch.no_grad()
def test_folding_a_trained_repvgg_changes_nothing() -> None:
    """The filters of the folded form are the sums of what the paths of the trained form do."""
    torch.manual_seed(0)
    before, after = network("repvgg/repvgg_a0"), network("repvgg/repvgg_a0_folded")
    trained, used = (Interpreter(found).double().eval() for found in (before, after))
    for node in before.nodes:
        if node.op.word == "bn":
            as_if_trained(trained.held[str(node.index)])

    sums = [node for node in before.nodes if node.op.word == "add"]
    convs = [node for node in after.nodes if node.op.word == "conv"]
    for total, conv in zip(sums, convs, strict=True):
        paths = [folded(trained, norm) for norm in total.inputs]
        weight, bias = (torch.stack(parts).sum(0) for parts in zip(*paths, strict=True))
        used.held[str(conv.index)].load_state_dict({"weight": weight, "bias": bias})
    (fc,), (same_fc,) = (modules(model, nn.Linear) for model in (trained, used))
    same_fc.load_state_dict(fc.state_dict())

    images = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(used(images), trained(images), rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_resnet8_with_its_trained_weights_is_right_as_often_as_it_should_be() -> None:
    weights = numpy.load(shared("weights/resnet8_cifar10/resnet8_cifar10.npz"))
    data = numpy.load(shared("data/cifar10_8k_2k.npz"))
    model = Interpreter(network("cifar/resnet8")).eval()
    for kind, word in ((nn.Conv2d, "conv"), (nn.BatchNorm2d, "bn")):
        for number, module in enumerate(modules(model, kind)):
            load(module, weights, f"{word}{number}")
    (fc,) = modules(model, nn.Linear)
    load(fc, weights, "fc")

    images = torch.from_numpy(data["x_test"]).permute(0, 3, 1, 2).float()  # 0..255, as it learned
    found = torch.cat([model(batch).argmax(1) for batch in images.chunk(8)])
    assert int((found == torch.from_numpy(data["y_test"])).sum()) == 1759


def test_tiny_darknet_has_the_layers_of_its_trained_weights() -> None:
    weights = numpy.load(shared("weights/tiny_darknet/tinydarknet.npz"))
    model = Interpreter(network("darknet/tiny_darknet"))
    for kind, word in ((nn.Conv2d, "conv"), (nn.BatchNorm2d, "bn")):
        found = modules(model, kind)
        for number, module in enumerate(found, 1):
            load(module, weights, f"{word}{number}")
        assert f"{word}{len(found) + 1}.weight" not in weights
