"""The networks that a course goes through: figures of papers and of well-known implementations, or
worked out here, next to where they are from."""

from __future__ import annotations

import pytest
import torch

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.analysis.cost import Totals
from dotcnn.compiler.language.overrides import read_override
from dotcnn.compiler.network import Network
from dotcnn.compiler.shapes import Shape
from interpreter import Interpreter
from networks import gallery


def totals(network: Network) -> Totals:
    return analyse(network).totals


def params(name: str) -> int:
    return totals(gallery(name)).params


def shapes(network: Network, *words: str) -> list[Shape]:
    """Of what leaves the layers of these words; where the same leaves several in turn, once."""
    found = [node.shape for node in network.nodes if node.op.word in words]
    return [shape for n, shape in enumerate(found) if n == 0 or shape != found[n - 1]]


def conv(arriving: int, width: int, kernel: int) -> int:
    """Parameters of `width` filters with biases."""
    return (arriving * kernel * kernel + 1) * width


def fc(arriving: int, units: int) -> int:
    return (arriving + 1) * units


# ---- small ones ---------------------------------------------------------------------------------


def test_the_fully_connected_network() -> None:
    """LeNet-300-100, as it is known in papers on pruning: 266,610 (267K in arXiv:1506.02626)."""
    found = totals(gallery("teaching/mlp"))
    assert found.params == fc(784, 300) + fc(300, 100) + fc(100, 10) == 266_610
    assert found.macs == 784 * 300 + 300 * 100 + 100 * 10


def test_lenet5_on_colour_images() -> None:
    """62,006: the network of torch's tutorial on CIFAR-10."""
    assert totals(gallery("teaching/lenet5", input_shape=(3, 32, 32))).params == 62_006


def test_batch_norm_learns_two_numbers_a_channel_and_keeps_two() -> None:
    channels = 32 + 32 + 64 + 64 + 256  # of five norms; convolutions before them have no bias
    found = totals(gallery("teaching/batchnorm"))
    weights = 25 * 32 + 32 * 25 * 64 + 64 * 7 * 7 * 256
    assert found.params == weights + 2 * channels + fc(256, 10)
    assert found.buffers == 2 * channels + 5  # and how many batches each has seen


def test_alexnet_for_small_images() -> None:
    """What Keras makes of the same lines: each map grows by the padding of two layers."""
    network = gallery("alexnet/alexnet_small")
    sides = [shape[1] for shape in shapes(network, "conv", "pool max", "pad")]
    assert sides == [28, 14, 14, 7, 9, 9, 4, 6, 6, 8, 4]
    convolutions = conv(1, 96, 11) + conv(96, 256, 5) + conv(256, 512, 3)
    convolutions += conv(512, 1024, 3) + conv(1024, 1024, 3)
    head = fc(4 * 4 * 1024, 3072) + fc(3072, 4096) + fc(4096, 10)
    assert totals(network).params == convolutions + head


def test_network_in_network() -> None:
    """966,986 in osmr/imgclsmob, which converted weights of it."""
    assert params("nin/nin") == 966_986


def test_all_convolutional() -> None:
    """1,369,738 in many implementations for Keras; about 1.4 million in the paper."""
    network = gallery("all_cnn/all_cnn_c")
    assert totals(network).params == 1_369_738
    assert not any(node.op.word == "pool max" for node in network.nodes)
    assert network.nodes[-2].inputs[0].shape == (10, 6, 6)  # averaged over 6x6, as in the paper


# ---- Inception ----------------------------------------------------------------------------------


def test_googlenet_as_in_the_paper() -> None:
    """bvlc_googlenet of Caffe: 13,378,280, of which 6,379,728 are in the two heads. Multiply-adds:
    the paper set itself a budget of 1.5 billion."""
    network = gallery("googlenet/googlenet_2014")
    found = totals(network)
    heads = [conv(width, 128, 1) + fc(2048, 1024) + fc(1024, 1000) for width in (512, 528)]
    assert found.aux_params == sum(heads) == 6_379_728
    assert found.params == 13_378_280 - sum(heads) == 6_998_552
    assert round(found.macs / 1e9, 1) == 1.6
    # The table of the paper, row by row.
    widths = [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    concatenated = [node.shape for node in network.nodes if node.op.word == "concat"]
    assert [shape[0] for shape in concatenated] == widths
    assert [shape[1] for shape in concatenated] == [28] * 2 + [14] * 5 + [7] * 2
    assert [head.node.shape for head in network.aux] == [(1000,)] * 2
    assert [head.weight for head in network.aux] == [0.3, 0.3]


def test_inception_v2() -> None:
    """11,295,240 in osmr/imgclsmob, whose convolutions have biases that the norms take out again.
    The paper's table has 576 and 1024 where the widths in it come to 608 and 1056."""
    network = gallery("inception/inception_v2")
    biases = sum(node.shape[0] for node in network.nodes if node.op.word == "conv")
    assert biases == 10_016
    assert totals(network).params == 11_295_240 - biases
    widths = [node.shape[0] for node in network.nodes if node.op.word == "concat"]
    assert widths == [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]


@pytest.mark.parametrize(
    ("name", "parameters", "macs", "stages"),
    [
        ("inception_v4", 42_679_816, 12_253_974_624, [384, 1024, 1536]),
        ("inception_resnet_v2", 55_843_464, 13_155_794_016, [320, 1088, 2080]),
    ],
)
def test_inception_v4_and_its_residual_sister(
    name: str, parameters: int, macs: int, stages: list[int]
) -> None:
    """timm's networks of these names, multiply-adds of its convolutions and its last layer."""
    network = gallery(f"inception/{name}")
    assert (totals(network).params, totals(network).macs) == (parameters, macs)
    seen = {node.shape for node in network.nodes}
    sides = (35, 17, 8)
    assert {(c, side, side) for c, side in zip(stages, sides, strict=True)} <= seen


def test_inception_resnet_v1() -> None:
    """The network for faces, 23,482,624 in timesler/facenet-pytorch, has a sixth module at its end
    and an embedding (no bias, but a norm) where here is the paper's layer for 1000 classes."""
    network = gallery("inception/inception_resnet_v1")
    path = 1792 * 192 + 2 * 192
    module = 2 * path + 2 * (3 * 192 * 192 + 2 * 192) + conv(384, 1792, 1)
    embedding = 1792 * 512 + 2 * 512
    faces = totals(network).params - fc(1792, 1000) + module + embedding
    assert faces == 23_482_624
    assert {(256, 35, 35), (896, 17, 17), (1792, 8, 8)} <= {node.shape for node in network.nodes}


# ---- ResNet -------------------------------------------------------------------------------------

BASIC = ("basic", 1)
BOTTLENECK = ("bottleneck", 4)


@pytest.mark.parametrize(
    ("unit", "depths", "published"),
    [
        (BASIC, (2, 2, 2, 2), 11_689_512),
        (BASIC, (3, 4, 6, 3), 21_797_672),
        (BOTTLENECK, (3, 4, 6, 3), 25_557_032),
        (BOTTLENECK, (3, 4, 23, 3), 44_549_160),
        (BOTTLENECK, (3, 8, 36, 3), 60_192_808),
    ],
    ids=["18", "34", "50", "101", "152"],
)
def test_shortcuts(unit: tuple[str, int], depths: tuple[int, ...], published: int) -> None:
    """torchvision's figures are option B. A is without the projections, each a 1x1 convolution and
    a norm; C has one in each block."""
    word, expand = unit
    stages = list(zip((64, 128, 256, 512), depths, (1, 2, 2, 2), strict=True))
    options = dict([read_override(f"unit={word}"), read_override(f"stages={stages}")])

    def found(shortcut: str) -> int:
        given = {**options, **dict([read_override(f"shortcut={shortcut}")])}
        return totals(gallery("resnet/resnet_shortcuts", overrides=given)).params

    changing, others, channels = 0, 0, 64
    for width, depth, _ in stages:
        wide = expand * width
        if channels != wide:
            changing += channels * wide + 2 * wide
        else:
            others += channels * wide + 2 * wide
        others += (depth - 1) * (wide * wide + 2 * wide)
        channels = wide
    assert found("auto") == published
    assert found("pad") == published - changing
    assert found("project") == published + others


@pytest.mark.parametrize(
    ("name", "parameters", "millions"),
    [
        ("resnet20", 269_722, "0.27"),
        ("resnet32", 464_154, "0.46"),
        ("resnet44", 658_586, "0.66"),
        ("resnet56", 853_018, "0.85"),
        ("resnet110", 1_727_962, "1.7"),
        ("resnet1202", 19_421_274, "19.4"),
    ],
)
def test_resnets_for_cifar(name: str, parameters: int, millions: str) -> None:
    """akamaster/pytorch_resnet_cifar10, option A; millions are table 6 of the paper."""
    network = gallery(f"resnet_cifar/{name}")
    assert totals(network).params == parameters
    assert f"{parameters / 1e6:.{len(millions.split('.')[1])}f}" == millions
    weighted = sum(node.op.word in ("conv", "fc") for node in network.nodes)
    assert f"resnet{weighted}" == name
    assert shapes(network, "add") == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("preact18", 11_687_720, 1_814_073_344),
        ("preact34", 21_795_880, 3_663_761_408),
        ("preact50", 25_549_352, 4_089_184_256),
        ("preact101", 44_541_480, 7_801_405_440),
        ("preact152", 60_185_128, 11_513_626_624),
    ],
)
def test_preactivation(name: str, parameters: int, macs: int) -> None:
    """timm's resnetv2_18 to resnetv2_152, multiply-adds of its convolutions and its last layer."""
    found = totals(gallery(f"resnet_preact/{name}"))
    assert (found.params, found.macs) == (parameters, macs)


def test_preactivation_200() -> None:
    """64,666,280 in osmr/imgclsmob, whose first block has a norm of its own, for 64 channels."""
    assert params("resnet_preact/preact200") == 64_666_280 - 2 * 64


@pytest.mark.parametrize(("depth", "n"), [(164, 18), (1001, 111)])
def test_preactivation_for_cifar(depth: int, n: int) -> None:
    """The authors' own code (KaimingHe/resnet-1k-layers), block by block."""
    network = gallery(f"resnet_preact/preact{depth}")
    weights, norms, channels = 27 * 16, 0, 16
    for width in (16, 32, 64):
        weights += channels * 4 * width  # the shortcut of the first block
        for _ in range(n):
            norms += 2 * (channels + width + width)
            weights += channels * width + 9 * width * width + width * 4 * width
            channels = 4 * width
    norms += 2 * channels
    assert totals(network).params == weights + norms + fc(channels, 10)
    # In the paper 1.7 and 10.2 million: the latter is without norms (with them, 10.3).
    assert round((weights + fc(channels, 10)) / 1e6, 1) == {164: 1.7, 1001: 10.2}[depth]
    assert totals(network).params == {164: 1_703_258, 1001: 10_327_706}[depth]


# ---- pools, filters, dropout --------------------------------------------------------------------

CONVOLUTIONS = conv(1, 16, 5) + conv(16, 32, 5)


@pytest.mark.parametrize(
    ("name", "learned"),
    [
        *((name, 0) for name in ("max", "overlap", "avg", "min", "l2", "lp", "stochastic")),
        ("wavelet", 0),
        ("mixed", 2 * 1),  # a mixture for each of two layers
        ("tree", 2 * (4 + 3) * 4),  # four filters and three gates of 2x2
    ],
)
def test_pools(name: str, learned: int) -> None:
    network = gallery(f"pooling/pool_{name}")
    assert shapes(network, f"pool {name}" if name != "overlap" else "pool max") == [
        (16, 14, 14),
        (32, 7, 7),
    ]
    assert totals(network).params == CONVOLUTIONS + fc(32 * 7 * 7, 10) + learned


def test_a_pool_of_everything_saves_weights() -> None:
    assert params("pooling/pool_global") == CONVOLUTIONS + conv(32, 32, 5) + fc(32, 10)


@pytest.mark.parametrize("side", [28, 20, 64])
def test_a_pyramid_takes_images_of_any_size(side: int) -> None:
    found = totals(gallery("pooling/pool_spp", input_shape=(1, side, side)))
    assert found.params == CONVOLUTIONS + fc(32 * (16 + 4 + 1), 10)


def test_spp_net() -> None:
    """Sizes as in the definition that its authors published: 110, 55, 26, 13."""
    network = gallery("sppnet/sppnet")
    assert [shape[1] for shape in shapes(network, "conv", "pool max")] == [110, 55, 26, 13, 13, 13]
    weights = conv(3, 96, 7) + conv(96, 256, 5)
    weights += conv(256, 384, 3) + conv(384, 384, 3) + conv(384, 256, 3)
    weights += fc(50 * 256, 4096) + fc(4096, 4096) + fc(4096, 1000)
    assert totals(network).params == weights
    small = gallery("sppnet/sppnet", input_shape=(3, 180, 180))
    assert totals(small).params == weights
    assert shapes(small, "conv")[-1] == (256, 10, 10)  # as the paper says


def test_known_filters_are_not_learned() -> None:
    found = totals(gallery("filters/filters"))
    assert found.params == found.trainable == fc(9 * 7 * 7, 10)
    assert found.buffers == 8 * 9
    assert totals(gallery("filters/by_hand")).params == 0


def test_the_filter_worked_out_by_hand() -> None:
    image = torch.zeros(1, 1, 6, 6)
    image[0, 0, :3, :4] = torch.tensor([[81, 2, 209, 44], [24, 56, 108, 98], [91, 0, 189, 65]])
    result = Interpreter(gallery("filters/by_hand"))(image)
    assert result.shape == (1, 1, 4, 4)
    assert result[0, 0, 0, :2].tolist() == [515, 374]


def test_dropout_has_no_weights() -> None:
    """1,199,882: what Keras says to its example for MNIST. Leaving out channels changes nothing."""
    assert params("dropout/dropout") == 1_199_882
    assert params("dropout/spatial_dropout") == params("pooling/pool_max")


def test_stochastic_depth_is_resnet110_in_evaluation() -> None:
    network, other = gallery("dropout/stochastic_depth"), gallery("resnet_cifar/resnet110")
    assert totals(network).params == totals(other).params
    assert totals(network).macs == totals(other).macs
    shares = [node.op.p for node in network.nodes if node.op.word == "droppath"]
    assert shares == pytest.approx([0.5 * block / 54 for block in range(1, 55)])  # the paper's
