"""Gradient checkpointing: the same outputs, gradients and statistics in less memory, as much as is
predicted."""

from __future__ import annotations

import copy
import gc
from pathlib import Path

import pytest
import torch
from torch import nn

import dotcnn
from dotcnn.compiler.analysis import Setting
from dotcnn.compiler.analysis.memory import Memory
from dotcnn.compiler.network import Network
from dotcnn.compiler.plan.memory_setting import settings_in_train
from dotcnn.compiler.plan.recompute import parts_of
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.inference.load import live
from dotcnn.training.runtime import gradient_checkpointing
from dotcnn.training.runtime.gradient_checkpointing import recompute
from measured import LiveBytes, kept_for_backward, training_step
from networks import gallery, network

from ..small import Looker, equal, gone_on, last, trained

SPEC = """
block basic(width, stride=1) {
  residual { conv width 3x3 same stride=stride, bn, leaky 0.1, conv width 3x3 same, bn }
  relu
}
network Net {
  input 3x16x16
  stem: conv 8 3x3 same, bn
  layer1: repeat 2 { basic 8 }
  layer2: repeat 2 { leaky 0.3, conv 16 3x3 same, bn, dropout 0.3 }
  layer3: basic 16 stride=2
  pool avg global, flatten, fc 5
}
"""
NAMES = {
    "layer1": ["layer1.0", "layer1.1"],
    "layer2 layer3": ["layer2.0", "layer2.1", "layer3"],
    "layer1.1": ["layer1.1"],
    '"layer*"': ["layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3"],
    "stem": ["stem"],
}


def names(text: str) -> list[str]:
    return [part.strip('"') for part in text.split()]


@pytest.mark.parametrize("text", NAMES)
def test_each_iteration_of_a_loop_is_a_part(text: str) -> None:
    assert list(parts_of(network(SPEC), names(text))) == NAMES[text]


EVERY = [name if "*" in name else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


@pytest.mark.parametrize("text", EVERY)
def test_outputs_gradients_and_statistics_are_the_same(text: str) -> None:
    """To the last bit, with dropout, and although `leaky` would overwrite the input of a part."""
    found = network(SPEC)
    torch.manual_seed(0)
    plain = live(found, "test").train()
    again = copy.deepcopy(plain)
    recompute(again, found, names(text))
    images = torch.randn(4, 3, 16, 16)
    results = []
    for module in (plain, again):
        torch.manual_seed(1)
        for _ in range(2):
            output = module(images)
            output.square().sum().backward()
        results.append((output.detach(), module))
    assert torch.equal(results[0][0], results[1][0])
    for one, two in zip(plain.parameters(), again.parameters(), strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert torch.equal(one.grad, two.grad)
    assert equal(plain.state_dict(), again.state_dict())
    assert torch.equal(plain.eval()(images), again.eval()(images))


def test_a_copy_computes_with_its_own_weights() -> None:
    """As the averaged weights of `ema` are used."""
    found = network(SPEC)
    module = live(found, "test").eval()
    recompute(module, found, ["layer3"])
    other = copy.deepcopy(module)
    with torch.no_grad():
        for weight in other.layer3.parameters():  # type: ignore[union-attr]
            weight.zero_()
    images = torch.randn(2, 3, 16, 16)
    assert not torch.allclose(module(images), other(images))


def peak(module: nn.Module, found: Network, images: int) -> int:
    pixels = torch.randn(images, *found.input.shape)
    labels = torch.zeros(images, dtype=torch.long)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, foreach=False)
    gc.collect()
    memory = LiveBytes(*module.parameters(), *module.buffers(), pixels, labels)
    with memory:
        training_step(module, pixels, labels, optimizer)
    return memory.peak


@pytest.mark.parametrize("text", EVERY)
def test_memory_is_as_predicted(text: str) -> None:
    found = network(SPEC)
    module = live(found, "test").train()
    recompute(module, found, names(text))
    setting = Setting(recompute=tuple(parts_of(found, names(text)).values()))
    memory = Memory(found, setting)
    assert memory.training.at(32) == pytest.approx(peak(module, found, 32), rel=0.03)
    assert memory.kept.at(32) <= Memory(found).kept.at(32)


def test_resnet18_needs_much_less() -> None:
    found = gallery("resnet/resnet18")
    parts = tuple(parts_of(found, ["layer*"]).values())
    assert len(parts) == 8
    plain, less = Memory(found), Memory(found, Setting(recompute=parts))
    assert less.kept.at(32) < 0.6 * plain.kept.at(32)
    assert less.fit(4 * 2**30) > 1.3 * plain.fit(4 * 2**30)


def test_a_report_knows_it() -> None:
    found = network(SPEC + "train { recompute layer1 }")
    settings = settings_in_train(found)
    assert settings["recompute"] == tuple(parts_of(found, ["layer1"]).values())


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_a_run_has_the_same_weights(tmp_path: Path) -> None:
    """Also with averaged weights, accumulated batches, and after an interruption."""
    spec = (
        SPEC.replace("3x16x16", "1x8x8").replace("fc 5", "fc classes")
        + """
    train { data digits, epochs 1, batch 512, accumulate 2, ema 0.9, optimizer adamw lr=1e-2 }
    """
    )
    trained(tmp_path / "plain", spec)
    changes = {"train.recompute": '"layer*"'}
    trained(tmp_path / "again", spec, set=changes)
    assert equal(last(tmp_path / "plain"), last(tmp_path / "again"))
    trained(tmp_path / "parts", spec, set=changes, callback=Looker(stop_after=1))
    gone_on(tmp_path / "parts")
    assert equal(last(tmp_path / "plain"), last(tmp_path / "parts"))


def test_names_are_checked() -> None:
    def wrong(train: str) -> list[str]:
        text = SPEC + f"train {{ {train} }}"
        return [each.code for each in dotcnn.check(text) if each.severity == "error"]

    assert wrong("recompute layer1 layer3.conv2") == []
    assert wrong("recompute layer4") == ["unknown-part"]
    assert wrong("recompute layer1, compile on") == []


def test_an_old_torch_does_not_compile_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient_checkpointing, "COMPILES", False)
    changes = {"train.recompute": "conv", "train.compile": "on"}
    with pytest.raises(SpecError, match="updates running statistics twice"):
        trained(tmp_path / "run", set=changes)


@pytest.mark.skipif(not gradient_checkpointing.COMPILES, reason="this torch compiles them wrong")
@pytest.mark.slow
def test_compiled_networks_compute_again_too() -> None:
    """What torch.compile keeps follows from what is marked; all numbers are those of the network
    uncompiled, and running statistics are updated once."""
    found = network(SPEC.replace("dropout 0.3", "relu"))
    torch.manual_seed(0)
    plain = live(found, "test").train()
    again = copy.deepcopy(plain)
    recompute(again, found, ["layer*"])
    modules = [torch.compile(one, backend="aot_eager") for one in (plain, again)]
    images, labels = torch.randn(4, 3, 16, 16), torch.zeros(4, dtype=torch.long)
    kept = []
    for compiled, module in zip(modules, (plain, again), strict=True):
        for _ in range(2):
            module.zero_grad()
            nn.functional.cross_entropy(compiled(images), labels).backward()
        kept.append(kept_for_backward(module, images, labels, lambda x, c=compiled: c(x)))
    assert kept[1] < 0.7 * kept[0]
    for one, two in zip(plain.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)
