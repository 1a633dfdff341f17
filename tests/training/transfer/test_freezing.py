"""Frozen layers do not change, and the others are trained with their own learning rates."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.compiler.analysis.memory import Memory
from dotcnn.compiler.analysis.setting import Setting
from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.strategy import Strategy, strategy_of
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.transfer.freezing import Freezing, factors_of
from measured import kept_for_backward

from ..small import Looker, equal, gone_on, last, trained
from .begun import notes, spec

pytestmark = pytest.mark.usefixtures("no_report")


def strategy(*lines: str) -> Strategy:
    network = dotcnn.compile(spec(*lines, source="a", classes="10"))
    transfer = plan(network).transfer
    assert transfer is not None
    return strategy_of(network, transfer)


def moved(folder: Path, text: str, **options: object) -> set[str]:
    """The names of the tensors (running statistics included) that training has changed."""
    trained(folder / "still", text, set={"train.optimizer": "sgd lr=1e-30", "train.epochs": 1})
    trained(folder / "run", text, **options)  # type: ignore[arg-type]
    before, after = last(folder / "still"), last(folder / "run")
    return {
        key
        for key, tensor in after.items()
        if "num_batches" not in key and not torch.equal(tensor, before[key])
    }


def layers(keys: Collection[str]) -> set[str]:
    return {key.rpartition(".")[0] for key in keys}


# ---- what is frozen ----------------------------------------------------------------------------

EARLY = {"conv", "bn", "layer1.0.conv", "layer1.0.bn", "layer1.1.conv", "layer1.1.bn"}
LATE = {"layer2", "bn2", "fc"}


@pytest.mark.parametrize(
    ("lines", "learn"),
    [
        (["freeze all", "head reset"], {"fc"}),
        (["freeze until layer2"], LATE),
        (["freeze only layer1"], {"conv", "bn"} | LATE),
        (['freeze except "*bn" fc'], {"bn", "layer1.0.bn", "layer1.1.bn", "fc"}),
        (["features layer1"], LATE),
    ],
)
def test_what_is_frozen_stays_to_the_last_bit(
    tmp_path: Path, lines: list[str], learn: set[str]
) -> None:
    """Weights, and the mean and variance of norms."""
    looker = Looker()
    found = moved(tmp_path, spec(*lines), callback=looker)
    assert layers(found) == learn
    assert {f"{layer}.weight" for layer in learn} <= found
    assert "weights are frozen" in notes(looker)
    table = (tmp_path / "run" / "transfer.txt").read_text()
    assert "frozen" in table
    assert "of memory instead of" in table.replace("\n", " ")


def test_frozen_parts_are_in_evaluation() -> None:
    """A dropout before a head that learns is the head's."""
    found = strategy("freeze all")
    module = dotcnn.load(found.network).train()
    Freezing(found).start_epoch(module, 0)
    modes = {name: part.training for name, part in module.named_modules() if name}
    assert not modes["bn"]
    assert not modes["layer1.1.bn"]
    assert modes["dropout"]
    assert modes["fc"]


def test_a_frozen_beginning_keeps_nothing_for_backward() -> None:
    """Measured in torch, and what the analysis says."""
    images, labels = torch.randn(3, 1, 8, 8), torch.tensor([1, 2, 3])
    for lines in (["freeze all"], ["freeze until layer2"], []):
        found = strategy(*lines)
        module = dotcnn.load(found.network).train()
        Freezing(found).start_epoch(module, 0)
        setting = Setting(frozen=found.stages[0].frozen)
        assert kept_for_backward(module, images, labels) == pytest.approx(
            Memory(found.network, setting).kept.at(3), abs=512
        )


# ---- more from an epoch on ---------------------------------------------------------------------


def test_layers_frozen_after_some_epochs_are_compiled_without_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in each epoch: fine-tuning and `freeze_after` agree on what is trained."""
    compiled = []

    def compile(module: nn.Module, **_: object) -> nn.Module:
        compiled.append(module)
        return module

    monkeypatch.setattr(torch, "compile", compile)
    changes = {"train.epochs": 4, "train.compile": "on", "train.freeze_after": "1 layer2"}
    trained(tmp_path / "run", spec("l2 0.1"), set=changes)
    assert len(compiled) == 3  # for training, for validation, and after the first epoch


def test_gradual_unfreezing(tmp_path: Path) -> None:
    """In its epoch, not before; and what is begun anew from there is the same."""
    text = spec("freeze all", "unfreeze at epoch 2 until layer2", "unfreeze at epoch 3")
    one = moved(tmp_path / "1", text, set={"train.epochs": 1})
    two = moved(tmp_path / "2", text, set={"train.epochs": 2})
    three = moved(tmp_path / "3", text, set={"train.epochs": 3})
    assert (layers(one), layers(two), layers(three)) == ({"fc"}, LATE, EARLY | LATE)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_run_that_unfreezes_goes_on(tmp_path: Path, steps: int) -> None:
    """Stopped before, in and after the epoch: what comes out is the same to the last bit."""
    text = spec("freeze all", "unfreeze at epoch 2", "l2 0.1", "decay 0.5", "head lr=3x")
    options = {"train.epochs": 3, "train.ema": 0.9}
    trained(tmp_path / "whole", text, set=options)
    assert trained(
        tmp_path / "run", text, set=options, callback=Looker(stop_after=steps)
    ).interrupted
    gone_on(tmp_path / "run")
    assert equal(last(tmp_path / "run"), last(tmp_path / "whole"))
    assert equal(averages(tmp_path / "run"), averages(tmp_path / "whole"))


def averages(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = read_checkpoint(folder / "last.ckpt")["average"]["weights"]
    return found


# ---- how fast ----------------------------------------------------------------------------------


def test_each_part_has_its_rate() -> None:
    found = strategy("lr layer1=0.1x layer1.1=0.5x", "head lr=10x")
    factors = factors_of(found, dotcnn.load(found.network))
    assert factors == {
        "layer1.0.conv.weight": 0.1, "layer1.0.bn.weight": 0.1, "layer1.0.bn.bias": 0.1,
        "layer1.1.conv.weight": 0.5, "layer1.1.bn.weight": 0.5, "layer1.1.bn.bias": 0.5,
        "fc.weight": 10.0, "fc.bias": 10.0,
    }  # fmt: skip


def test_rates_fall_with_depth() -> None:
    """A block is a part, and a norm belongs to what is before it."""
    found = strategy("decay 0.5", "head lr=2x")
    factors = factors_of(found, dotcnn.load(found.network))
    assert [factors[f"{name}.weight"] for name in ("fc", "bn2", "layer2")] == [2, 0.5, 0.5]
    assert [factors[f"layer1.{i}.conv.weight"] for i in (1, 0)] == [0.25, 0.125]
    assert [factors[f"{name}.weight"] for name in ("bn", "conv")] == [0.0625, 0.0625]


def test_a_step_is_as_long_as_its_rate_says(tmp_path: Path) -> None:
    """Beside one where all parts have the same: plain SGD moves in proportion."""
    plain = {"train.epochs": 1, "train.batch": 2000, "train.optimizer": "sgd lr=0.01 momentum=0"}
    weights = {}
    for name, lines in (("same", []), ("slow", ["lr layer2=0.25x"]), ("still", ["lr layer2=0x"])):
        trained(tmp_path / name, spec(*lines), set=plain)
        weights[name] = last(tmp_path / name)["layer2.weight"]
    began = weights["still"]
    assert torch.allclose(weights["slow"] - began, (weights["same"] - began) / 4, atol=1e-7)


def test_l2_pulls_weights_to_their_start(tmp_path: Path) -> None:
    """Strongly enough, and they all but stay; a head that begins anew is free."""
    away = {}
    for strength in ("0.001", "10"):
        folder = tmp_path / strength
        text = spec(f"l2 {strength}", "head reset")
        learning = {"train.optimizer": "sgd lr=0.05 momentum=0", "train.epochs": 8}
        trained(folder, text, set=learning)
        state = read_checkpoint(folder / "last.ckpt")
        began = state["anchor"]
        assert "conv.weight" in began
        assert "fc.weight" not in began
        away[strength] = sum(
            float((state["model"][key] - began[key]).square().sum()) for key in began
        )
    assert away["10"] < away["0.001"] / 3


def test_the_pull_is_the_gradient_of_the_distance() -> None:
    from dotcnn.training.transfer.anchor import Anchor

    module = nn.Linear(3, 2)
    anchor = Anchor(module, ["weight"], 0.5)
    with torch.no_grad():
        module.weight += torch.randn(2, 3)
    module.weight.grad = torch.zeros(2, 3)
    module.bias.grad = torch.zeros(2)
    anchor.pull()
    pulled = module.weight.grad.clone()
    module.weight.grad = None
    began = anchor.state()["weight"]
    (0.5 / 2 * (module.weight - began).square().sum()).backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(pulled, module.weight.grad)
    assert not module.bias.grad.any()
