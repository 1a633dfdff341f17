"""Networks evaluated layer by layer: equal to the emitted module, in evaluation and in training."""

from __future__ import annotations

from contextlib import suppress

import pytest
import torch

import dotcnn
from dotcnn.training.inference.layer_outputs import LayerOutputs, logits_of
from typical import typical

SMALL = [
    "lenet5", "by_hand", "filters", "resnet20", "shufflenet_v2_x0_5", "squeezenet1_0", "googlenet",
    "mobilenet_v3_small",
]  # fmt: skip


def check(name: str, size: int) -> None:
    network = dotcnn.compile(name)
    if len(network.inputs) > 1:
        return  # one image is shown to a network
    if len(network.input.shape) == 3 and max(network.input.shape[1:]) > size:
        with suppress(dotcnn.SpecError):  # too small for some
            network = dotcnn.compile(name, input=(network.input.shape[0], size, size))
    torch.manual_seed(0)
    module = dotcnn.load(network)
    images = torch.randn(2, *network.input.shape)
    for training in (False, True):
        module.train(training)
        state = {name: value.clone() for name, value in module.state_dict().items()}
        layers = LayerOutputs(network, module)
        with torch.no_grad():
            torch.manual_seed(1)
            expected = module(images)
            module.load_state_dict(state)
            torch.manual_seed(1)
            outputs = layers(images)
        expected = expected[0] if isinstance(expected, tuple) else expected
        if not (training and network.aux):  # heads draw random numbers in between
            # A thousand layers with initial weights may end in NaN, in both.
            found = outputs[logits_of(network).index]
            assert torch.allclose(found, expected, rtol=0, atol=0, equal_nan=True)
        shapes = {node.index: (2, *node.shape) for node in network.nodes if not node.aux}
        assert {index: tuple(output.shape) for index, output in outputs.items()} == shapes


@pytest.mark.parametrize("name", SMALL)
def test_the_outputs_are_those_of_the_module(name: str) -> None:
    check(name, 96)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in typical() if name not in SMALL])
def test_in_all_of_the_gallery_that_differs(name: str) -> None:
    check(name, 96)
