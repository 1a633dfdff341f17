"""Memory by hand: what is in use when, and how large a batch fits."""

from __future__ import annotations

import pytest

from dotcnn.compiler.analysis import Setting
from dotcnn.compiler.analysis.kept import kept
from dotcnn.compiler.analysis.memory import Memory
from dotcnn.compiler.analysis.peak import Bytes, Ledger, Moment, Peak
from dotcnn.compiler.analysis.setting import OPTIMIZERS
from dotcnn.compiler.network import Network
from networks import gallery, layers, write_nothing_over

SMALL = "conv 4 3x3 same bias=off, relu, pool avg global, flatten, fc 2"
"""On 3x8x8: 4x8x8, the same again, 4, 2; 108 weights and 10."""


def small() -> Network:
    return layers(SMALL, input="3x8x8")


# ---- what is kept -------------------------------------------------------------------------------


def test_kept_by_hand() -> None:
    """The relu's output; of a global pool nothing; the pooled vector for the fc; the logarithm of
    the softmax, and one number of the loss."""
    assert kept(small()) == Bytes(fixed=4, each=4 * (4 * 8 * 8 + 4 + 2))
    assert Memory(small()).kept.at(8) == 4 + 8 * 4 * 262


def test_what_several_keep_is_counted_once() -> None:
    """What the relu leaves is what the next convolution takes."""
    network = layers("conv 4 3x3 same, relu, conv 2, pool avg global, flatten", input="3x8x8")
    assert kept(network) == Bytes(4, 4 * (4 * 64 + 2))


def test_written_over_or_not_a_norm_keeps_its_input_too() -> None:
    body = "conv 4 3x3 same, bn, relu, conv 2, pool avg global, flatten"
    network = layers(body, input="3x8x8")
    expected = Bytes(4 + 4 * 2 * 4, 4 * (2 * 4 * 64 + 2))
    assert kept(network) == expected
    write_nothing_over(network)
    assert kept(network) == expected


def test_nothing_is_kept_before_the_first_weight() -> None:
    a = layers("pool max 2x2, relu, conv 4, flatten, fc 2", input="3x8x8")
    b = layers("conv 4, flatten, fc 2", input="3x4x4")
    assert kept(a).each == kept(b).each + 4 * 3 * 4 * 4  # the convolution's input is not the images


def test_nothing_is_kept_for_frozen_layers() -> None:
    body = "conv 4 3x3 same, relu, conv 4 3x3 same, relu, conv 2, flatten"
    network = layers(body, input="3x8x8")
    frozen = kept(network, Setting(frozen=frozenset({1, 3})))
    assert frozen == Bytes(4, 4 * (4 * 64 + 2 * 64))  # the last input, the loss


def test_a_network_without_weights_keeps_nothing() -> None:
    assert kept(layers("pool max 2x2, flatten", input="3x8x8")) == Bytes()


def test_masks_of_a_dropout_are_smaller_on_a_gpu() -> None:
    network = layers("conv 4, dropout 0.5, flatten", input="3x8x8")
    there = kept(network).each - kept(network, Setting(device="cuda")).each
    assert there == 3 * 4 * 64


def test_half_precision_halves_what_flows_and_adds_copies() -> None:
    full, half = kept(small()), kept(small(), Setting(precision="bf16"))
    logarithm, activations = 4 * 2, 4 * (4 * 64 + 4)
    assert full.each == activations + logarithm
    assert half.each == activations // 2 + logarithm + 2 * 3 * 8 * 8  # the images
    assert half.fixed == 4 + 2 * (108 + 8)  # weights, not biases


# ---- peaks --------------------------------------------------------------------------------------


def test_forward_by_hand() -> None:
    """While the pool reads the map, written over by the relu: images, map, vector, weights."""
    memory = Memory(small())
    assert memory.weights == 4 * (108 + 10)
    assert memory.forward.at(1) == memory.weights + 4 * (3 * 64 + 4 * 64 + 4)
    assert memory.forward.at(8) - memory.forward.at(7) == 4 * (3 * 64 + 4 * 64 + 4)


def test_forward_without_writing_over_needs_two_maps() -> None:
    network = small()
    write_nothing_over(network)
    memory = Memory(network)
    assert memory.forward.at(1) == memory.weights + 4 * (3 * 64 + 2 * 4 * 64)


def test_auxiliary_heads_need_nothing_in_evaluation() -> None:
    head = "aux { conv 64 3x3 same, pool avg global, flatten, fc 9 }"
    body = "conv 4 3x3 same, {head}pool avg global, flatten, fc 2"
    plain, headed = (layers(body.replace("{head}", h)) for h in ("", head + ", "))
    assert Memory(plain).forward.at(4) == Memory(headed).forward.at(4)
    assert Memory(plain).training.at(4) < Memory(headed).training.at(4)


def test_training_by_hand() -> None:
    """Worst while the relu goes back: images and labels; the map that it left, and the gradients on
    both sides of it; the loss, the logits; weights, and gradients of the fc only."""
    memory = Memory(small())
    worst = memory.training.moment(8)
    assert (worst.phase, worst.node) == ("backward", 2)
    assert worst.each == 4 * (3 * 64 + 3 * 4 * 64 + 2) + 8
    assert worst.fixed == 4 * (118 + 10) + 2 * 4


def test_numbers_of_the_optimiser() -> None:
    weights = 4 * 118
    plain = Memory(small()).training
    for optimizer, copies in (("momentum", 1), ("adam", 2)):
        memory = Memory(small(), Setting(optimizer=OPTIMIZERS[optimizer])).training
        assert memory.at(1000) == plain.at(1000) + copies * weights


def test_the_step_itself_is_the_worst_where_weights_are_many() -> None:
    network = layers("flatten, fc 4096", input="3x8x8")
    worst = Memory(network, Setting(optimizer=OPTIMIZERS["adam"])).training.moment(1)
    assert worst.phase == "step"
    count = 192 * 4096 + 4096
    assert worst.fixed == 4 * (4 * count + 2 * 192 * 4096) + 8  # + scratch, of the larger weight


def test_frozen_weights_have_no_gradients() -> None:
    network = gallery("resnet/resnet18")
    body = frozenset(node.index for node in network.nodes if node.op.kind != "linear")
    frozen, free = Memory(network, Setting(frozen=body)), Memory(network)
    assert frozen.gradients == 4 * (512 * 1000 + 1000)
    assert frozen.training.at(32) * 5 < free.training.at(32) * 2


def test_more_images_need_more() -> None:
    for name in ("alexnet/alexnet", "densenet/densenet121"):
        memory = Memory(gallery(name)).training
        needs = [memory.at(batch) for batch in (1, 2, 3, 10, 100, 1000)]
        assert needs == sorted(set(needs))


# ---- fit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alexnet/alexnet", "resnet/resnet50", "mobilenet/mobilenet_v2"])
@pytest.mark.parametrize("gigabytes", [1, 8, 24])
def test_the_batch_that_fits_fits_and_the_next_does_not(name: str, gigabytes: int) -> None:
    limit = gigabytes * 2**30
    memory = Memory(gallery(name)).training
    batch = memory.fit(limit)
    assert memory.at(batch) <= limit < memory.at(batch + 1)


def test_what_does_not_fit_at_all() -> None:
    network = gallery("vgg/vgg16")
    assert Memory(network).fit(100 * 2**20) == 0
    assert Memory(network).fit(Memory(network).training.at(1) - 1) == 0
    assert Memory(network).fit(Memory(network).training.at(1)) == 1


def test_only_the_moments_that_can_be_the_worst_are_remembered() -> None:
    peak = Peak([Moment(1, 10, "a", 0), Moment(2, 5, "b", 1), Moment(1, 9, "c", 2)])
    assert [moment.phase for moment in peak.moments] == ["b", "a"]
    assert [peak.at(batch) for batch in (1, 5, 6)] == [11, 15, 17]
    assert [peak.fit(limit) for limit in (9, 11, 15, 17)] == [0, 1, 5, 6]


def test_a_ledger_forgets_nothing_that_matters() -> None:
    ledger = Ledger(Bytes(1, 1))
    ledger.take("x", 5, 0)
    ledger.note("a", 0)
    ledger.give("x", 5, 0)
    ledger.take("y", 0, 3)
    ledger.note("b", 1)
    ledger.note("c", 2, Bytes(4, 0))
    assert [ledger.peak().at(batch) for batch in (0, 1, 2)] == [6, 9, 13]
