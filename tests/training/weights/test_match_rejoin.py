"""What a source has as several layers and the network as one: halves of a convolution, norms that
are written out, attention, distances; small modules, and those of timm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import dotcnn
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.weights.match import match
from networks import layers
from timm_names import timm

from ..foreign import layer_pairs, statuses

SHAPE = "8x6x6"


def compared(spec: str, module: nn.Module, *, as_dict: bool = False, shape: str = SHAPE) -> None:
    """The network computes what the module does, with its weights."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.uniform_(-0.5, 0.5)
        network = layers(spec, shape)
        found = match(network, module.state_dict() if as_dict else module)
        found.require_complete()
        ours = dotcnn.load(network).double().eval()
        found.load_into(ours)
        images = torch.randn(2, *map(int, shape.split("x")), dtype=torch.float64)
        theirs = module.double().eval()
        # The weights of `ours` came in single precision, and are the same in double.
        torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=1e-9)


both_doors = pytest.mark.parametrize("as_dict", [False, True], ids=["module", "dict"])


# ---- halves of a convolution ---------------------------------------------------------------------


class Halves(nn.Module):
    def __init__(self, parts: Sequence[int] = (0, 1), kernels: Sequence[int] = (1, 1)) -> None:
        super().__init__()
        self.parts = parts
        self.stem = nn.Conv2d(8, 8, 1)
        self.halves = nn.ModuleList(
            nn.Conv2d(4, 6, kernel, padding=kernel // 2) for kernel in kernels
        )
        self.head = nn.Conv2d(12, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        halves = self.stem(x).chunk(2, 1)
        found = [self.halves[n](halves[part]) for n, part in enumerate(self.parts)]
        result: Tensor = self.head(torch.cat(found, 1))
        return result


GROUPED = "conv 8\nconv 12 groups=2\nconv 3"


@both_doors
def test_halves_of_a_convolution_are_one_with_groups(as_dict: bool) -> None:
    compared(GROUPED, Halves(), as_dict=as_dict)


def test_the_row_of_halves_names_both() -> None:
    found = match(layers(GROUPED, SHAPE), Halves())
    row = next(row for row in found.rows if row.target == "conv2.weight")
    assert row.source == "halves.0.weight + halves.1.weight"
    assert (row.status, row.notes) == ("reshaped", ("joined from 2",))
    assert not found.having("unused")


@both_doors
def test_halves_stay_apart_where_the_network_has_them_apart(as_dict: bool) -> None:
    apart = "conv 8\nsplit { | conv 6 | conv 6 }\nconv 3"
    compared(apart, Halves(), as_dict=as_dict)


@pytest.mark.parametrize(
    ("parts", "kernels"),
    [((1, 0), (1, 1)), ((0, 0), (1, 1)), ((0, 1), (1, 3))],
    ids=["exchanged", "of one half", "kernels that differ"],
)
def test_what_is_no_convolution_with_groups_is_refused(
    parts: Sequence[int], kernels: Sequence[int]
) -> None:
    with pytest.raises(SpecError):
        match(layers(GROUPED, SHAPE), Halves(parts, kernels)).require_complete()


# ---- norms that are written out ------------------------------------------------------------------


class ResponseNorm(nn.Module):
    """Divides by the root of the mean square of each map, in torch functions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x * (x.square().mean((2, 3), keepdim=True) + 1e-6).rsqrt()
        return x * self.weight + self.bias


class Affine(nn.Module):
    """The same tensors, without a norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias


def test_a_norm_that_is_written_out() -> None:
    compared("conv 8\nfrn eps=1e-6\nconv 3", nn.Sequential(nn.Conv2d(8, 8, 1), ResponseNorm(8),
             nn.Conv2d(8, 3, 1)))  # fmt: skip


def test_factors_and_a_bias_stay_apart_where_the_network_has_them_apart() -> None:
    module = nn.Sequential(nn.Conv2d(8, 8, 1), Affine(8), nn.Conv2d(8, 3, 1))
    found = match(layers("conv 8\nscale per=channel\nbias per=channel\nconv 3", SHAPE), module)
    assert {*statuses(found).values()} <= {"matched", "reshaped"}
    found.require_complete()


def test_a_norm_is_not_mistaken_for_another() -> None:
    """The tensors of both are the same; only running them shows that they differ."""
    module = nn.Sequential(nn.Conv2d(8, 8, 1), Affine(8), nn.Conv2d(8, 3, 1))
    with pytest.raises(SpecError):
        match(layers("conv 8\nfrn\nconv 3", SHAPE), module).require_complete()


# ---- what is subtracted --------------------------------------------------------------------------


class Difference(nn.Module):
    """Two norms of one map, of which one is subtracted; the sum begins with a number."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(8, 8, 1, bias=False)
        self.minuend, self.subtrahend = nn.BatchNorm2d(8), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return 0 + self.minuend(x) - self.subtrahend(x)


@pytest.mark.parametrize("negative", ["scale_by -1", "filter [[-1]]"])
def test_what_is_subtracted_is_not_what_is_added(negative: str) -> None:
    spec = f"conv 8\nadd {{ | bn, {negative} | bn }}"
    found = match(layers(spec, SHAPE), Difference())
    assert layer_pairs(found) == {"conv": "stem", "bn1": "subtrahend", "bn2": "minuend"}
    compared(spec, Difference())


# ---- attention -----------------------------------------------------------------------------------


class Attends(nn.Module):
    """Attention over places, with numbers for distances that are added to the scores; it calls
    torch's function, or writes it out."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.position = nn.Parameter(torch.zeros(25, 2))
        self.out = nn.Conv2d(8, 8, 1)
        self.qkv = nn.Conv2d(8, 24, 1)
        far = torch.arange(3)
        away = far[:, None] - far[None, :] + 2
        index = away[:, None, :, None] * 5 + away[None, :, None, :]
        self.register_buffer("index", index.reshape(-1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(x).flatten(2).unflatten(1, (3, 2, 4)).transpose(-1, -2)
        queries, keys, values = parts.unbind(1)
        bias = self.position[self.index].view(1, 9, 9, 2).permute(0, 3, 1, 2)
        if self.fused:
            y = F.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
        else:
            scores = queries @ keys.transpose(-1, -2) / 2 + bias
            y = scores.softmax(-1) @ values
        result: Tensor = self.out(y.transpose(-1, -2).reshape(x.shape))
        return result


@pytest.mark.parametrize("fused", [False, True], ids=["written out", "one function"])
def test_attention_with_positions(fused: bool) -> None:
    spec = "conv 24\nattention heads=2 position=bias\nconv 8"
    compared(spec, Attends(fused), shape="8x3x3")
    found = match(layers(spec, "8x3x3"), Attends(fused))
    assert layer_pairs(found)["attention"] == "position"


# ---- layers of timm ------------------------------------------------------------------------------


@pytest.fixture
def timm_layers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """timm's layers, where it is installed; its norms compute statistics in single precision."""
    found = timm()
    if found is None:
        pytest.skip("timm is not installed, nor does anything need it")
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    return found.layers


NORMS = {
    "EvoNorm2dB0": "evonorm_b0",
    "EvoNorm2dS0": "evonorm_s0 4",
    "EvoNorm2dS0a": "evonorm_s0 4 eps=1e-3",
    "FilterResponseNormTlu2d": "frn eps=1e-5, tlu",
    "FilterResponseNormAct2d": "frn eps=1e-5, relu",
}


@pytest.mark.slow
@both_doors
@pytest.mark.parametrize("name", NORMS)
def test_norms_of_timm(timm_layers: Any, name: str, as_dict: bool) -> None:
    norm = getattr(timm_layers, name)(8, groups=4)
    module = nn.Sequential(nn.Conv2d(8, 8, 1), norm, nn.Conv2d(8, 3, 1))
    compared(f"conv 8\n{NORMS[name]}\nconv 3", module, as_dict=as_dict)


@pytest.mark.slow
@both_doors
def test_convolutions_in_groups_of_timm(timm_layers: Any, as_dict: bool) -> None:
    mixed = timm_layers.MixedConv2d(8, 12, [1, 1])
    module = nn.Sequential(nn.Conv2d(8, 8, 1), mixed, nn.Conv2d(12, 3, 1))
    compared("conv 8\nconv 12 groups=2 bias=off\nconv 3", module, as_dict=as_dict)


POSITIONS = {"RelPosBias": "bias", "RelPosBiasTf": "bias", "RelPosMlp": "mlp hidden=128"}


@pytest.mark.slow
@both_doors
@pytest.mark.parametrize("name", POSITIONS)
def test_positions_of_timm(timm_layers: Any, name: str, as_dict: bool) -> None:
    from timm.models.maxxvit import Attention2d

    def position(**options: Any) -> nn.Module:
        made: nn.Module = getattr(timm_layers, name)(window_size=(3, 3), **options)
        return made

    module = Attention2d(8, dim_head=4, head_first=False, rel_pos_cls=position)
    spec = f"conv 24\nattention heads=2 position={POSITIONS[name]}\nconv 8"
    compared(spec, module, as_dict=as_dict, shape="8x3x3")


class Routed(nn.Module):
    """A mixture of experts as timm's EfficientNets have it."""

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.routing_fn = nn.Linear(8, 4)
        self.conv = convolution
        self.head = nn.Conv2d(12, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        shares = torch.sigmoid(self.routing_fn(F.adaptive_avg_pool2d(x, 1).flatten(1)))
        result: Tensor = self.head(self.conv(x, shares))
        return result


@pytest.mark.slow
@both_doors
def test_experts_of_timm(timm_layers: Any, as_dict: bool) -> None:
    module = Routed(timm_layers.CondConv2d(8, 12, 3, padding=1, num_experts=4))
    spec = "condconv 12 3x3 same bias=off { pool avg global, flatten, fc 4, sigmoid }\nconv 3"
    compared(spec, module, as_dict=as_dict)
