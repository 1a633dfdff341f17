"""Networks whose layers of one shape are easily exchanged: the weights are in the right places, or
the match is not complete. What they compute shows it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import dotcnn
from dotcnn.training.weights.match import Match, match
from networks import layers
from random_pairs import pair

from ..foreign import nameless

HEAD = "pool avg global, flatten, fc 10"


def filled(module: nn.Module) -> nn.Module:
    """With random weights, also those of norms, in double precision."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith(("norm.weight", "gamma", "bn.weight", "running_var")):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point():
                tensor.normal_(0, 0.5)
    return module.double().eval()


def outputs_agree(found: Match, spec: str, module: nn.Module) -> bool:
    ours = dotcnn.load(layers(spec)).double().eval()
    found.load_into(ours)
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        return bool((ours(images) - module(images)).abs().max() < 1e-9)


class Head(nn.Module):
    """Layers after which comes the head."""

    def __init__(self, *inner: nn.Module, width: int = 8) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)
        self.fc = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.fc(self.inner(x).mean((2, 3)))
        return found


def conv_bn(before: int, width: int, groups: int = 1) -> nn.Sequential:
    kernel = 3 if groups > 1 else 1
    conv = nn.Conv2d(before, width, kernel, padding=kernel // 2, groups=groups, bias=False)
    made = nn.Sequential()
    made.add_module("conv", conv)
    made.add_module("bn", nn.BatchNorm2d(width))
    return made


# ---- paths in another order in each block -------------------------------------------------------


class Ghost(nn.Module):
    """RepGhost: a norm beside a filter and its norm, and defined before them."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.primary = conv_bn(before, width)
        self.fusion = nn.Sequential()
        self.fusion.add_module("bn", nn.BatchNorm2d(width))
        self.cheap = conv_bn(width, width, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.primary(x).relu()
        found: Tensor = self.cheap(x) + self.fusion(x)
        return found


class Bottleneck(nn.Module):
    """With its shortcut defined after the body."""

    def __init__(self, before: int, wide: int, width: int) -> None:
        super().__init__()
        self.ghost1 = Ghost(before, wide)
        self.conv_dw = conv_bn(wide, wide, groups=wide)
        self.ghost2 = Ghost(wide, width)
        self.shortcut = nn.Sequential(conv_bn(before, before, groups=before))
        self.shortcut.append(conv_bn(before, width))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.ghost2(self.conv_dw(self.ghost1(x))) + self.shortcut(x)
        return found


GHOSTS = f"""
    conv 6 1x1 bias=off, bn, relu
    for wide, width in [(8, 8), (12, 8)] {{
      residual {{
        | conv wide 1x1 bias=off, bn, relu
          add {{
            | depthwise 3x3 same bias=off, bn
            | bn
          }}
          depthwise 3x3 same bias=off, bn
          conv width 1x1 bias=off, bn, relu
          add {{
            | depthwise 3x3 same bias=off, bn
            | bn
          }}
        | depthwise 3x3 same bias=off, bn
          conv width 1x1 bias=off, bn
      }}
    }}
    {HEAD}"""


def ghosts() -> nn.Module:
    stem = nn.Sequential(conv_bn(3, 6), nn.ReLU())
    return filled(Head(stem, Bottleneck(6, 8, 8), Bottleneck(8, 12, 8)))


def test_a_dict_in_which_now_a_short_path_and_now_a_long_one_comes_first() -> None:
    """As computed, in whichever order the paths are: then all norms are told apart by order."""
    module = ghosts()
    found = match(layers(GHOSTS), module.state_dict())
    found.require_complete()
    assert outputs_agree(found, GHOSTS, module)


# ---- parameters of a block itself ---------------------------------------------------------------


class Factors(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[:, None, None]


class Scaled(nn.Module):
    """ConvNeXt with RMS norms: `gamma`, of the block itself, is first in the state dict, and last
    in the block."""

    def __init__(self, width: int, scale: str, factors: str) -> None:
        super().__init__()
        self.scale = scale
        self.factors = factors
        self.register_parameter(scale, nn.Parameter(torch.ones(width)))
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.add_module(factors, Factors(width))
        self.last = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.last(self.get_submodule(self.factors)(self.first(x)))
        found: Tensor = x + inner * getattr(self, self.scale)[:, None, None]
        return found


SCALED = f"""
    conv 8
    repeat 3 {{
      residual {{ conv 8 3x3 same, layerscale 1, conv 8, layerscale 1 }}
    }}
    {HEAD}"""


def test_factors_of_a_residual_path_are_told_from_those_of_a_norm_by_their_names() -> None:
    module = filled(Head(nn.Conv2d(3, 8, 1), *(Scaled(8, "gamma", "norm") for _ in range(3))))
    found = match(layers(SCALED), module.state_dict())
    found.require_complete()
    assert outputs_agree(found, SCALED, module)


def test_under_names_that_say_nothing_they_are_ambiguous() -> None:
    """A block's own parameters come first in a state dict, wherever they are used."""
    module = filled(Head(nn.Conv2d(3, 8, 1), *(Scaled(8, "p", "norm") for _ in range(3))))
    found = match(layers(SCALED), module.state_dict())
    assert found.ambiguous
    assert not found.complete
    by_module = match(layers(SCALED), module)
    by_module.require_complete()
    assert outputs_agree(by_module, SCALED, module)


class Normed(nn.Module):
    """As in ConvNeXt, with a norm that has a bias; of `paths` of them, the sum."""

    def __init__(self, width: int, paths: int) -> None:
        super().__init__()
        self.paths = paths
        for at in range(paths):
            self.register_parameter(f"gamma{at}", nn.Parameter(torch.ones(width)))
        for at in range(paths):
            self.add_module(f"conv{at}", nn.Conv2d(width, width, 3, padding=1))
            self.add_module(f"norm{at}", nn.GroupNorm(2, width))

    def forward(self, x: Tensor) -> Tensor:
        for at in range(self.paths):
            inner = self.get_submodule(f"norm{at}")(self.get_submodule(f"conv{at}")(x))
            x = x + inner * self.get_parameter(f"gamma{at}")[:, None, None]
        return x


@pytest.mark.parametrize("paths", [1, 2])
def test_under_such_names_the_order_tells_factors_that_are_no_other_layers(paths: int) -> None:
    """Nothing says to which block a factor belongs, and it comes before the layers of its block.
    Among themselves, the factors are in order, and so are the layers."""
    module = filled(Head(nn.Conv2d(3, 8, 1), *(Normed(8, paths) for _ in range(3))))
    spec = f"""
        conv 8
        repeat {3 * paths} {{ residual {{ conv 8 3x3 same bias=on, gn 2, layerscale 1 }} }}
        {HEAD}"""
    renamed = nameless(module.state_dict())
    found = match(layers(spec), renamed)
    found.require_complete()
    assert outputs_agree(found, spec, module)
    last_first = dict(reversed(renamed.items()))
    assert not match(layers(spec), last_first).complete


def test_factors_side_by_side_are_ambiguous_under_such_names() -> None:
    """Either path may be the first."""
    spec = f"""
        conv 8
        add {{
          | conv 8 3x3 same, layerscale 1
          | conv 8 1x1, layerscale 1
        }}
        {HEAD}"""
    ours = dotcnn.load(layers(spec))
    renamed = nameless(ours.state_dict())
    first = dict(list(renamed.items())[:2])
    factors = {key: value for key, value in renamed.items() if key.endswith("gamma")}
    found = match(layers(spec), first | factors | renamed)
    assert len(factors) == 2
    assert {row.target for row in found.rows if row.status == "ambiguous"} >= {
        key for key in ours.state_dict() if key.endswith("gamma")
    }


# ---- what is not commutative --------------------------------------------------------------------


class Subtracted(nn.Module):
    """FastViT's mixer: of two norms of the same map, one is subtracted."""

    def __init__(self, sign: int = -1) -> None:
        super().__init__()
        self.sign = sign
        self.norm = nn.Sequential(nn.BatchNorm2d(8))
        self.mixer = nn.Sequential(nn.BatchNorm2d(8))
        self.conv = conv_bn(8, 8, groups=8)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mixer(x) + self.conv(x)
        return mixed - self.norm(x) if self.sign < 0 else self.norm(x) - mixed


SUBTRACTED = f"""
    conv 8
    repeat 2 {{
      add {{
        | bn
        | depthwise 3x3 same bias=off, bn
        | bn, filter [[-1]]
      }}
      relu
    }}
    {HEAD}"""


def subtracted(sign: int) -> nn.Module:
    inner = [nn.Sequential(Subtracted(sign), nn.ReLU()) for _ in range(2)]
    return filled(Head(nn.Conv2d(3, 8, 1), *inner))


def test_what_is_subtracted_is_told_from_what_is_added() -> None:
    module = subtracted(-1)
    found = match(layers(SUBTRACTED), module)
    found.require_complete()
    assert outputs_agree(found, SUBTRACTED, module)
    assert found.summary().endswith("The activations of both agree for an image of noise.")


def test_of_a_module_that_computes_something_else_no_match_is_complete() -> None:
    """Whatever the shapes allow: both networks are run."""
    module = subtracted(1)
    found = match(layers(SUBTRACTED), module)
    assert not found.complete
    assert "Activations diverge at" in found.summary() or found.ambiguous


def test_that_is_seen_before_training_too() -> None:
    """Untrained norms are all alike, so that nothing would show with the module's own weights."""
    module = Head(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8, eps=1e-3))
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    found = match(layers(f"conv 8, bn\n{HEAD}"), module)
    assert not found.missing()
    assert not found.complete
    assert all(torch.equal(tensor, before[key]) for key, tensor in module.state_dict().items())


# ---- drawn at random, with all layers of one width ----------------------------------------------


def right(seed: int) -> bool:
    """Whether the match of a state dict is complete; then it must be right."""
    spec, module = pair(seed)
    found = match(layers(spec), module.state_dict())
    assert not found.complete or outputs_agree(found, spec, module), f"pair {seed} is wrong"
    return found.complete


@pytest.mark.parametrize("seed", [114, 215, 413, 493, 543])
def test_no_order_of_paths_makes_a_wrong_match_look_certain(seed: int) -> None:
    """In these, only one assignment fits if paths are put in an order of the network's own."""
    right(seed)


@pytest.mark.slow
def test_a_dict_of_a_random_network_is_matched_rightly_or_not_at_all() -> None:
    """Most of them rightly."""
    assert sum(right(seed) for seed in range(400)) > 200
