"""Memory on a GPU by hand: what the training loop keeps there, norms in float32, cards, limits."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dotcnn.compiler.analysis import Setting
from dotcnn.compiler.analysis.cards import CARDS, NoCard, card_named
from dotcnn.compiler.analysis.gpu import (
    CONTEXT,
    CUBLAS_WORKSPACE,
    MOST_ELEMENTS,
    NCCL,
    WORKSPACE,
)
from dotcnn.compiler.analysis.memory import Memory
from dotcnn.compiler.analysis.peak import Bytes
from dotcnn.compiler.analysis.setting import OPTIMIZERS
from dotcnn.compiler.network import Network
from dotcnn.compiler.plan.optimizer import RmsProp
from networks import gallery, layers

GB = 10**9
IMAGE = 3 * 224 * 224
LOOP = 4 * IMAGE + 2 * IMAGE + 31 * 4 * 1000
"""For each image, whatever the network of 1,000 classes: its numbers, its bytes and those of the
batch before, and the logits of the 31 steps before."""


def on_gpu(network: Network, **setting: object) -> Memory:
    return Memory(network, Setting(device="cuda", **setting))  # type: ignore[arg-type]


# ---- three networks by hand ---------------------------------------------------------------------


def test_resnet18_with_sgd_in_fp32() -> None:
    memory = on_gpu(gallery("resnet/resnet18"))
    stem, pooled = 64 * 112 * 112, 64 * 56 * 56
    # Norms keep what they normalize, convolutions what they read. In a basic block these are four
    # maps: the outputs of conv1, relu1, conv2, and of the block; a fifth where the shortcut has a
    # norm. The maximum pool keeps 8 bytes for each output, the loss the logarithms.
    maps = 2 * stem + pooled  # conv, relu, pool
    for channels, side, shortcut in ((64, 56, 0), (128, 28, 1), (256, 14, 1), (512, 7, 1)):
        maps += (4 + 4 + shortcut) * channels * side * side
    assert memory.kept.each == 4 * (maps + 512 + 1000) + 8 * pooled == 21_581_728

    # Worst for 64 images: the backward pass of the last convolution. The loss, the pooled vector
    # and the last output have been let go; there are gradients on both sides.
    worst, last = memory.training.moment(64), 4 * 512 * 7 * 7
    assert (worst.phase, worst.node) == ("backward", memory.network.by_name["layer4.1.conv2"].index)
    kept = 21_581_728 - 4 * 1000 - 4 * 512 - last
    assert worst.each == LOOP + 4 * 1000 + kept + 2 * last == 22_707_200
    # 11,689,512 weights; means and variances of 4,800 channels, and 20 counters of 8 bytes; the
    # statistics of this batch, those of the last norm let go; the loss, twice; the first gradients.
    weights = 4 * 11_689_512 + 2 * 4 * 4_800 + 20 * 8
    statistics = 2 * 4 * (4_800 - 512)
    gradients = 4 * (512 * 1000 + 1000 + 2 * 512 + 512 * 512 * 9)
    assert worst.fixed == weights + statistics + 8 + gradients == 58_324_200

    usage = memory.on_gpu(64)
    assert usage.tensors == 58_324_200 + 64 * 22_707_200
    workspace = 2 * CUBLAS_WORKSPACE
    assert 0 < usage.allocated - usage.tensors - workspace < 0.01 * usage.tensors
    assert usage.allocated <= usage.reserved
    assert usage.needed == usage.allocated + CONTEXT


def test_convnext_tiny_with_adamw_in_bf16() -> None:
    """Where norms, and sums with a layer scale, are in float32."""
    network = gallery("convnext/convnext_tiny")
    memory = on_gpu(network, precision="bf16", optimizer=OPTIMIZERS["adamw"])
    blocks = ((96, 56 * 56, 3), (192, 28 * 28, 3), (384, 14 * 14, 9), (768, 7 * 7, 3))
    each = fixed = 0
    for channels, places, count in blocks:
        # In bf16: the inputs of the depthwise convolution, of the first linear layer, of the GELU
        # and of the second one (4 times the channels each), of the layer scale. In float32: that of
        # the norm, with a mean and a deviation for each place.
        halves = 1 + 1 + 4 + 4 + 1
        each += count * ((2 * halves + 4) * channels * places + 2 * 4 * places)
        fixed += count * 2 * (49 * channels + 2 * 4 * channels * channels)
    each += 17 * 4  # a factor for each image, in all but the first stochastic depth
    # The stem reads the image in bf16; its norm, and those before the three reductions, as above.
    each += 2 * IMAGE + (4 * 96 + 2 * 4) * 56 * 56
    fixed += 2 * 96 * 3 * 4 * 4
    for (channels, places, _), (wider, _, _) in pairwise(blocks):
        each += (4 * channels + 2 * 4 + 2 * channels) * places
        fixed += 2 * 4 * channels * wider
    # The head: its norm, the linear layer's input and weights in bf16, the loss.
    each += 4 * 768 + 2 * 4 + 2 * 768 + 4 * 1000
    fixed += 2 * 768 * 1000 + 4
    assert memory.kept == Bytes(fixed, each) == Bytes(57_048_004, 60_613_060)

    # 28,589,128 weights, their gradients and two averages; at the end nothing else but the loss
    # and the loop's own, as a fused optimizer needs no scratch.
    last = memory.training.moments[-1]
    assert last.fixed < 4 * 4 * 28_589_128 + 4096 * 182 + 10**6
    assert memory.training.at(0) >= 4 * 4 * 28_589_128


def test_mobilenet_v2_with_momentum_in_fp32() -> None:
    memory = on_gpu(gallery("mobilenet/mobilenet_v2"), optimizer=OPTIMIZERS["momentum"])
    # Before a projection, each convolution leaves its output for the norm, and the ReLU6 a copy of
    # its input and its output. A projection leaves its output for the norm, and the norm its own.
    before, side = 32, 112
    numbers = 3 * before * side * side
    for factor, channels, count, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
        (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for number in range(count):
            hidden = factor * before
            numbers += 3 * hidden * side * side * (factor > 1)
            side //= stride if number == 0 else 1
            numbers += (3 * hidden + 2 * channels) * side * side
            before = channels
    numbers += 2 * 1280 * 7 * 7  # a global average keeps nothing
    # The dropout's mask has bytes; then the linear layer's input, and the loss.
    assert memory.kept.each == 4 * numbers + 1280 + 4 * (1280 + 1000) == 77_607_584
    constant = 4 * 3_504_872 * 2 + 2 * 4 * 17_056 + 52 * 8  # weights, momentum, statistics
    assert memory.training.moments[-1].fixed >= constant + 4 * 3_504_872


# ---- what the training loop keeps --------------------------------------------------------------

SMALL = "conv 4 3x3 same bias=off, relu, pool avg global, flatten, fc 2"
"""108 weights and 10: 472 bytes."""


@pytest.mark.parametrize(
    ("setting", "more"),
    [
        ({"ema": True}, 472),
        ({"lookahead": True}, 472),
        ({"anchor": True}, 472),
        ({"processes": 2}, 472),
        ({"data": 5000}, 5000),
        ({"optimizer": OPTIMIZERS["momentum"]}, 472),
        ({"optimizer": OPTIMIZERS["adamw"]}, 2 * 472 + 3 * 4),
    ],
)
def test_what_stays_on_the_gpu(setting: dict[str, object], more: int) -> None:
    """EMA, lookahead, L2-SP, DDP's buckets and optimizers have copies of the weights; fused
    optimizers have no scratch, but count the steps for each of three tensors."""
    network = layers(SMALL, input="3x8x8")
    plain, changed = on_gpu(network).training, on_gpu(network, **setting).training
    assert changed.at(1000) == plain.at(1000) + more
    assert changed.moments[-1].fixed == plain.moments[-1].fixed + more


def test_foreach_optimizers_need_scratch_for_all_weights() -> None:
    """As RMSprop has no fused implementation."""
    network = layers("flatten, fc 4096", input="3x8x8")
    weights = 4 * (192 * 4096 + 4096)
    sgd, plain, decayed = (
        on_gpu(network, optimizer=optimizer).training.at(1)
        for optimizer in (
            OPTIMIZERS["sgd"],
            RmsProp.make().memory,
            RmsProp.make(weight_decay=0.1).memory,
        )
    )
    assert decayed - plain == weights
    assert plain - sgd > weights  # the average of squares, and the scratch


def test_muon_keeps_less_for_hidden_layers() -> None:
    """One average for the two convolutions in the middle, two for all else."""
    network = layers(f"{SMALL.partition('relu')[0]}conv 4 3x3 same, {SMALL}", input="3x8x8")
    plain, muon = (
        on_gpu(network, optimizer=OPTIMIZERS[name]).training.at(1000) for name in ("sgd", "muon")
    )
    assert muon - plain == 4 * (2 * 144) + 2 * 4 * (108 + 4 + 10)


def test_accumulated_gradients_exist_from_the_start() -> None:
    network = layers(SMALL, input="3x8x8")
    plain, accumulated = on_gpu(network).training, on_gpu(network, accumulate=4).training
    assert accumulated.at(1000) - plain.at(1000) == 472 - 4 * 10  # those of the fc existed
    assert accumulated.moments[-1].fixed == plain.moments[-1].fixed + 432  # one at a time


def test_on_a_cpu_all_that_makes_no_difference() -> None:
    network = gallery("resnet/resnet18")
    plain = Memory(network).training
    setting = Setting(ema=True, anchor=True, accumulate=4, processes=2, data=10**9)
    assert Memory(network, setting).training.moments == plain.moments
    assert Memory(network).fit(8 * GB) == plain.fit(8 * GB)


# ---- which batch fits --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet/resnet18", "mobilenet/mobilenet_v2"])
@pytest.mark.parametrize("gigabytes", [2, 24])
def test_the_batch_that_fits(name: str, gigabytes: int) -> None:
    """Fewer images than the tensors alone would allow, but not many fewer."""
    memory = on_gpu(gallery(name))
    limit = gigabytes * GB
    batch = memory.fit(limit)
    assert memory.needed(batch) <= limit
    tensors = memory.training.fit(limit - memory.outside)
    assert 0.75 * tensors < batch < tensors


def test_more_gpus_take_memory_for_nccl() -> None:
    network = gallery("resnet/resnet18")
    alone, together = on_gpu(network), on_gpu(network, processes=8)
    assert together.outside == alone.outside + NCCL
    assert together.fit(8 * GB) < alone.fit(8 * GB)


def test_nothing_fits_beside_the_context() -> None:
    assert on_gpu(layers(SMALL, input="3x8x8")).fit(CONTEXT) == 0
    assert on_gpu(gallery("vgg/vgg16")).fit(1 * GB) == 0


def test_maps_of_2_to_the_31_elements_are_not_asked_for() -> None:
    """They would fit into the memory of a large GPU, but torch could not index them."""
    network = layers("conv 64 3x3 same, pool avg global, flatten, fc 2", input="3x512x512")
    memory = on_gpu(network, precision="bf16")
    batch = memory.fit(1000 * GB)
    assert batch * 64 * 512 * 512 <= MOST_ELEMENTS < (batch + 1) * 64 * 512 * 512
    assert batch == 127
    assert Memory(network).fit(1000 * GB) > 127  # a CPU counts in 64 bits


# ---- cards -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RTX 4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("Tesla T4", "T4"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("H100", "H100 80GB"),
        ("NVIDIA H100 80GB HBM3", "H100 80GB"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000"),
        ("4090", "RTX 4090"),
        ("RTX6000Ada", "RTX 6000 Ada"),
    ],
)
def test_cards_by_name(text: str, name: str) -> None:
    assert card_named(text).name == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A100", '"A100 40GB" or "A100 80GB"'),
        ("RTX 4900", 'did you mean "RTX 4090"?'),
        ("4060 Ti", '"RTX 4060 Ti 8GB" or "RTX 4060 Ti 16GB"'),
        ("H1", "--fit 24GB"),
        ("RTX", "--fit 24GB"),
        ("abacus", "--fit 24GB"),
        ("", "--fit 24GB"),
    ],
)
def test_cards_that_there_are_not(text: str, said: str) -> None:
    with pytest.raises(NoCard) as error:
        card_named(text)
    assert said in str(error.value)


def test_cards_have_about_the_memory_in_their_name() -> None:
    for card in CARDS:
        assert card_named(card.name) == card
        digits = card.name.split()[-1].removesuffix("GB")
        if card.name.endswith("GB"):
            assert 0.9 < card.memory / (int(digits) * 2**30) <= 1


REPORTED = {
    "RTX 2080 Ti": 10.56, "RTX 3060": 11.62, "RTX 3070": 7.60, "RTX 3080": 9.62, "RTX 3090": 23.50,
    "RTX 4060": 7.60, "RTX 4070": 11.62, "RTX 4080": 15.45, "RTX 4090": 23.51,
    "RTX 5070 Ti": 15.45, "RTX 5080": 15.45, "RTX 5090": 31.36, "RTX A6000": 44.34, "T4": 14.56,
    "V100 32GB": 31.73, "A100 40GB": 39.38, "A100 80GB": 79.14, "L4": 21.95, "L40S": 44.34,
    "H100 80GB": 79.10, "H200": 139.72,
}  # fmt: skip
"""In GiB, the least that a message of torch has named as the total of such a card, or of another
one with the same nominal size."""


@pytest.mark.parametrize("name", REPORTED)
def test_cards_have_rather_too_little_memory_than_too_much(name: str) -> None:
    card = card_named(name)
    assert 0.9 * REPORTED[name] < card.memory / 2**30 <= REPORTED[name]
    assert card.source


def test_workspace_is_allocated_by_torch() -> None:
    assert Bytes(CUBLAS_WORKSPACE) in WORKSPACE
    memory = on_gpu(layers(SMALL, input="3x8x8"))
    assert memory.on_gpu(1).allocated > 2 * CUBLAS_WORKSPACE > memory.on_gpu(1).tensors
