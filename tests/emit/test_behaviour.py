"""How emitted modules behave while training and after: what is random, heads, ends, beginnings."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.training.inference.load import construct

from .equality import hold


def made(body: str, input: str = "4x8x8", blocks: str = "") -> nn.Module:
    text = f"{blocks}\nnetwork Net {{\n  input {input}\n{body}\n}}\n"
    return construct(dotcnn.emit(text), "Net")


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


# ---- training and evaluation --------------------------------------------------------------------

RANDOM = {
    "dropout": "dropout 0.5",
    "dropout of whole maps": "dropout2d 0.5",
    "paths that are dropped": "residual { conv 4 1x1, droppath 0.5 }",
    "stochastic pooling": "pool stochastic 2x2",
}


@pytest.mark.parametrize("what", RANDOM)
def test_is_random_in_training_alone(what: str) -> None:
    model = made(RANDOM[what])
    images = torch.rand(8, 4, 8, 8)
    model.train()
    assert not torch.equal(model(images.clone()), model(images.clone()))
    model.eval()
    assert torch.equal(model(images.clone()), model(images.clone()))


def test_dropout_keeps_the_mean_and_is_gone_in_evaluation() -> None:
    model = made("dropout 0.25")
    images = torch.ones(64, 4, 8, 8)
    dropped = model.train()(images.clone())
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(model.eval()(images.clone()), images)


def test_a_path_is_dropped_for_whole_images() -> None:
    """Image by image the body counts, scaled, or does not: what remains is the input."""
    model = made("residual { bn affine=off, droppath 0.5 }").train()
    images = torch.randn(64, 4, 8, 8)
    added = (model(images.clone()) - images).flatten(1).abs().amax(1)
    assert 10 < int((added == 0).sum()) < 54


def test_stochastic_pooling_takes_a_value_of_the_window_and_then_the_expected_one() -> None:
    model = made("pool stochastic 2x2", input="1x2x2")
    images = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    drawn = torch.cat([model.train()(images) for _ in range(300)]).flatten()
    assert set(drawn.tolist()) == {1.0, 2.0, 3.0, 4.0}
    expected = (1 + 4 + 9 + 16) / 10
    assert drawn.mean().item() == pytest.approx(expected, abs=0.2)
    assert model.eval()(images).item() == pytest.approx(expected)


def test_norms_use_the_batch_in_training_and_what_they_saw_after() -> None:
    model = made("bn momentum=1")
    images = torch.randn(16, 4, 8, 8) * 3 + 2
    seen = model.train()(images)
    assert seen.mean((0, 2, 3)).abs().max() < 1e-5
    assert torch.allclose(model.eval()(images), seen, atol=0.05)
    assert torch.allclose(model(images[:1]), seen[:1], atol=0.05)


# ---- auxiliary heads ----------------------------------------------------------------------------

HEADS = """
  conv 8 3x3 same, relu
  early: aux weight=0.3 { pool avg global, flatten, fc 3 }
  conv 8 3x3 same, relu
  aux { conv 4 1x1, pool avg global, flatten, fc 3, softmax }
  pool avg global, flatten
  fc 3, softmax
"""


def test_heads_are_there_in_training_alone() -> None:
    model = made(HEADS)
    images = torch.randn(2, 4, 8, 8)
    found = model.train()(images)
    assert type(found).__name__ == "NetOutputs"
    assert found._fields == ("logits", "early", "aux")
    assert [each.shape for each in found] == [(2, 3)] * 3
    plain = model.eval()(images)
    assert type(plain) is Tensor
    assert torch.equal(plain, found.logits)  # nothing random in it, and no norm


def test_heads_do_not_run_in_evaluation() -> None:
    model = made(HEADS).eval()

    def fail(*_: object) -> None:
        raise AssertionError

    model.get_submodule("early").register_forward_hook(fail)
    model(torch.randn(2, 4, 8, 8))
    with pytest.raises(AssertionError):
        model.train()(torch.randn(2, 4, 8, 8))


def test_every_weight_is_used_in_training_and_those_of_heads_only_there() -> None:
    model = made(HEADS)
    images = torch.randn(2, 4, 8, 8)
    sum(each.sum() for each in model.train()(images)).backward()  # type: ignore[union-attr]
    assert all(weight.grad is not None for weight in model.parameters())
    model.zero_grad()
    model.eval()(images).sum().backward()
    unused = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert unused
    assert {name.partition(".")[0] for name in unused} == {"early", "aux"}


@pytest.mark.parametrize("flat", [False, True])
def test_heads_compute_what_the_network_says(flat: bool) -> None:
    hold(dotcnn.compile(f"network Net {{\n  input 4x8x8\n{HEADS}\n}}"), flat=flat)


# ---- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "function"), [("softmax", "softmax"), ("sigmoid", "sigmoid")])
@pytest.mark.parametrize("heads", [False, True])
def test_logits_come_out_and_probabilities_are_asked_for(
    word: str, function: str, heads: bool
) -> None:
    head = "aux { pool avg global, flatten, fc 3 }" if heads else ""
    model = made(f"  {head}\n  conv 2 1x1, relu\n  pool avg global, flatten, fc 3, {word}")
    images = torch.randn(5, 4, 8, 8)
    for training in (True, False):
        model.train(training)
        logits = model(images)
        logits = logits.logits if isinstance(logits, tuple) else logits
        wanted = torch.sigmoid(logits) if function == "sigmoid" else torch.softmax(logits, 1)
        assert torch.equal(model.predict(images), wanted)  # type: ignore[operator]
        assert not torch.equal(logits, wanted)


def test_a_softmax_in_the_middle_stays() -> None:
    """Only the last one is left to the loss; then there is nothing to ask for."""
    model = made("gate { softmax }, conv 2 1x1, relu")
    assert not hasattr(model, "predict")
    hold(dotcnn.compile("network Net {\n  input 4x8x8\n  gate { softmax }, conv 2 1x1, relu\n}"))


def test_the_last_of_several_uses_is_no_end() -> None:
    """What is added to something else is no probability of classes."""
    hold(dotcnn.compile("network Net {\n  input 4x8x8\n  residual { conv 4, sigmoid }\n}"))


# ---- how weights begin --------------------------------------------------------------------------

WIDE = "  conv 64 3x3 same, {act}\n  pool avg global, flatten\n  fc 1000"


def deviations(init: str, act: str = "relu") -> tuple[float, float]:
    """Of the weights of a convolution with 9*64 inputs and 9*64 outputs, and of a linear layer with
    64 inputs and 1,000 outputs."""
    model = made(f"{init}\n{WIDE.format(act=act)}", input="64x8x8")
    conv, fc = model.conv, model.fc
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(fc, nn.Linear)
    if init != "init torch":
        assert conv.bias is not None
        assert not conv.bias.any()
        assert not fc.bias.any()
    assert abs(conv.weight.mean().item()) < 0.002
    return conv.weight.std().item(), fc.weight.std().item()


@pytest.mark.parametrize(
    ("init", "conv", "fc"),
    [
        ("", math.sqrt(2 / 576), math.sqrt(2 / 64)),
        ("init he", math.sqrt(2 / 576), math.sqrt(2 / 64)),
        ("init he uniform", math.sqrt(2 / 576), math.sqrt(2 / 64)),
        ("init xavier", math.sqrt(2 / 1152), math.sqrt(2 / 1064)),
        ("init lecun", math.sqrt(1 / 576), math.sqrt(1 / 64)),
        ("init normal std=0.01", 0.01, 0.01),
        ("init truncated_normal std=0.02", 0.0176, 0.0176),
        ("init torch", math.sqrt(1 / 3 / 576), math.sqrt(1 / 3 / 64)),
    ],
)
def test_weights_begin_as_the_spec_says(init: str, conv: float, fc: float) -> None:
    assert deviations(init) == (pytest.approx(conv, rel=0.03), pytest.approx(fc, rel=0.03))


def test_the_largest_of_truncated_weights_are_twice_the_deviation() -> None:
    model = made(f"init truncated_normal std=0.02\n{WIDE.format(act='gelu')}", input="64x8x8")
    assert 0.039 < model.get_parameter("conv.weight").abs().max().item() <= 0.04


RESIDUAL = "block unit(width) { residual { conv width 3x3 same, bn, relu, conv width, bn }, relu }"


def test_residuals_can_begin_as_the_identity() -> None:
    """Then each block is its shortcut at first: the last norm of its body gives zero."""
    text = "init zero_residual\n  conv 8, relu\n  repeat 3 { unit 8 }"
    model = made(text, blocks=RESIDUAL).eval()
    images = torch.randn(2, 4, 8, 8)
    first = torch.relu(model.get_submodule("conv")(images))
    assert torch.equal(model(images), first)
    zero = {name for name, weight in model.named_parameters() if not weight.any()}
    assert {name for name in zero if "bn" in name and "weight" in name} == {
        f"blocks.{n}.bn2.weight" for n in range(3)
    }


def test_seeds_give_the_same_weights_each_time() -> None:
    def weights() -> list[Tensor]:
        torch.manual_seed(7)
        return list(
            made("conv 8, bn, relu\n  pool avg global, flatten, fc 3").state_dict().values()
        )

    assert all(torch.equal(one, two) for one, two in zip(weights(), weights(), strict=True))
