"""Calls on tensors become layers: each module here is one that people write out in torch, beside
the layers that it has to become. Outputs are compared, with weights of the module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dotcnn.compiler.importing.graph import Graph
from dotcnn.compiler.importing.import_network import Imported, folded
from dotcnn.compiler.importing.tensors.compose import graph_of
from dotcnn.compiler.importing.tensors.program import Call, Program, Result
from dotcnn.dsl.source import Source, Span
from dotcnn.training.importing.imported_weights import compared
from dotcnn.training.importing.torch_module import program_of_module

MAP = (8, 6, 6)


class Written(nn.Module):
    """A function, with learned tensors that it may use."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        *shapes: Sequence[int],
        parts: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)
        random = torch.Generator().manual_seed(len(shapes))
        self.learned = nn.ParameterList(
            [nn.Parameter(torch.randn(*shape, generator=random)) for shape in shapes]
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.learned, *self.parts)


def graph(module: nn.Module, shape: Sequence[int] = MAP) -> Graph:
    module = module.double().eval()

    def run(inputs: Sequence[numpy.ndarray]) -> list[numpy.ndarray]:
        with torch.no_grad():
            return [module(*map(torch.from_numpy, inputs)).numpy()]

    program = program_of_module(module, tuple(shape), "written")
    return graph_of(program)._replace(run=run)


def imported(module: nn.Module, shape: Sequence[int] = MAP) -> Imported:
    """The spec, proved, with outputs that are those of the module."""
    return compared(folded(graph(module, shape), "written", "written"))


def words(module: nn.Module, shape: Sequence[int] = MAP) -> str:
    layers = imported(module, shape).graph.layers[1:]
    return " ".join(layer.op.word.replace(" ", "_") for layer in layers)


# ---- functions that are written out --------------------------------------------------------------

ONE_LAYER: dict[str, list[Callable[[Tensor], Tensor]]] = {
    "hardswish": [
        lambda x: x * F.relu6(x + 3) / 6,
        lambda x: x / 6 * (x + 3).clamp(0, 6),
        lambda x: (3 + x).clamp(min=0).clamp(max=6) * (1 / 6) * x,
        lambda x: x * F.hardsigmoid(x),
        lambda x: x * (x / 6 + 0.5).clamp(0, 1),
    ],
    "hardsigmoid": [
        lambda x: F.relu6(x + 3) / 6,
        lambda x: (0.5 + x * (1 / 6)).clamp(0, 1),
    ],
    "gelu": [
        lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
        lambda x: x * ((1 + torch.erf(x * 0.7071067811865476)) / 2),
        lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        lambda x: 0.5 * x * (1 + torch.tanh(x * math.sqrt(2 / math.pi) * (1 + 0.044715 * x * x))),
    ],
    "silu": [lambda x: x * torch.sigmoid(x), lambda x: x / (1 + torch.exp(-x))],
    "mish": [
        lambda x: x * torch.tanh(F.softplus(x)),
        lambda x: torch.tanh(torch.log(1 + torch.exp(x))) * x,
    ],
    "softplus": [lambda x: torch.log(torch.exp(x) + 1)],
    "sigmoid": [lambda x: 1 / (1 + torch.exp(-x)), lambda x: (1 + (-x).exp()).reciprocal()],
    "softmax": [lambda x: x.exp() / x.exp().sum(1, keepdim=True)],
    "relu6": [lambda x: x.clamp(0, 6), lambda x: x.clamp(max=6).clamp(min=0)],
    "relu": [lambda x: x.clamp(min=0)],
    "square": [lambda x: x * x, lambda x: x**2],
}


@pytest.mark.parametrize("word", ONE_LAYER)
def test_an_activation_that_is_written_out_is_one_layer(word: str) -> None:
    for function in ONE_LAYER[word]:
        # A sigmoid or softmax at the end would be left to `predict`.
        made = words(Written(lambda x, function=function: torch.tanh(function(x))))
        assert made == f"{word} tanh"


def test_what_looks_alike_is_not_taken_for_it() -> None:
    for function in (
        lambda x: x * F.relu6(x + 2) / 6,
        lambda x: x * F.relu6(x + 3) / 5,
        lambda x: x * torch.sigmoid(F.relu(x)),
        lambda x: x * torch.sigmoid(2 * x),
        lambda x: 0.5 * x * (1 + torch.tanh(0.8 * (x + 0.044715 * x**2))),
    ):
        made = words(Written(lambda x, function=function: torch.tanh(function(x)))).split()
        assert len(made) > 3
    root = graph(Written(lambda x: torch.sqrt(x**2) * torch.sigmoid(x)))
    assert root.unsaid[0].what == "sqrt"


def channels_first_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean = x.mean(1, keepdim=True)
    variance = (x - mean).pow(2).mean(1, keepdim=True)
    return weight * ((x - mean) / torch.sqrt(variance + 1e-6)) + bias


def test_a_layer_norm_over_channels() -> None:
    per_channel = (8, 1, 1)
    assert words(Written(channels_first_norm, per_channel, per_channel)) == "ln"
    made = imported(Written(channels_first_norm, per_channel, per_channel))
    assert made.graph.layers[1].op.arguments["eps"] == 1e-6
    last = Written(
        lambda x, norm: norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), parts=[nn.LayerNorm(8)]
    )
    assert words(last) == "ln"


def test_norms_without_a_mean() -> None:
    rms = Written(
        lambda x, w: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6) * w, (8, 1, 1)
    )
    assert words(rms) == "rmsnorm"
    simple = Written(lambda x, w: x / torch.sqrt(x.var(1, keepdim=True) + 1e-6) * w, (8, 1, 1))
    assert words(simple) == "simplenorm"

    def responses(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        norm = x.norm(p=2, dim=(2, 3), keepdim=True)
        return x + torch.addcmul(bias, weight, x * (norm / (norm.mean(1, keepdim=True) + 1e-6)))

    assert words(Written(responses, (8, 1, 1), (8, 1, 1))) == "grn"


def test_a_norm_over_all_numbers_is_that_of_one_group() -> None:
    assert words(Written(lambda x: F.layer_norm(x, (8, 6, 6)))) == "gn"


def test_filters_that_are_standardized_where_the_network_runs() -> None:
    def standardized(x: Tensor, weight: Tensor, gain: Tensor) -> Tensor:
        rows = weight.reshape(1, 16, -1)
        factor = (gain * (1.7 / math.sqrt(8 * 9))).reshape(-1)
        filters = F.batch_norm(rows, None, None, factor, training=True, momentum=0.0, eps=1e-5)
        return F.conv2d(x, filters.reshape(weight.shape), padding=1)

    made = imported(Written(standardized, (16, 8, 3, 3), (16, 1, 1, 1)))
    conv = made.graph.layers[1].op.arguments
    assert (conv["standardize"], conv["eps"], conv["gain"]) == (True, 1e-5, 1.7)

    def by_hand(x: Tensor, weight: Tensor) -> Tensor:
        var, mean = torch.var_mean(weight, (1, 2, 3), keepdim=True, unbiased=False)
        return F.conv2d(x, (weight - mean) / torch.sqrt(var + 1e-10), padding=1)

    conv = imported(Written(by_hand, (16, 8, 3, 3))).graph.layers[1].op.arguments
    assert (conv["standardize"], conv["eps"]) == (True, 1e-10)


# ---- another order of the axes -------------------------------------------------------------------


def test_linear_layers_on_maps_with_channels_last_are_convolutions() -> None:
    def block(x: Tensor, norm: nn.Module, first: nn.Module, second: nn.Module) -> Tensor:
        y = norm(x.permute(0, 2, 3, 1))
        return x + second(F.gelu(first(y))).permute(0, 3, 1, 2)

    parts = [nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)]
    assert words(Written(block, parts=parts)) == "ln conv gelu conv add"


def test_weights_of_a_linear_layer_follow_the_order_of_its_inputs() -> None:
    last = Written(lambda x, fc: fc(x.permute(0, 2, 3, 1).flatten(1)), parts=[nn.Linear(288, 5)])
    first = Written(lambda x, fc: fc(x.flatten(1)), parts=[nn.Linear(288, 5)])
    assert words(last) == words(first) == "flatten fc"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.mean((2, 3)),
        lambda x: x.mean((2, 3), keepdim=True).flatten(1),
        lambda x: x.flatten(2).mean(2),
        lambda x: x.permute(0, 2, 3, 1).mean((1, 2)),
        lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(3).squeeze(2),
    ],
)
def test_a_mean_over_places_is_a_global_pool(function: Callable[[Tensor], Tensor]) -> None:
    assert words(Written(function)) == "pool_avg flatten"


def test_reshapes_that_rearrange() -> None:
    def shuffle(x: Tensor) -> Tensor:
        return x.view(x.shape[0], 2, 4, 6, 6).transpose(1, 2).reshape(x.shape)

    def larger(x: Tensor) -> Tensor:
        apart = x.view(x.shape[0], 2, 2, 2, 6, 6).permute(0, 1, 4, 2, 5, 3)
        return apart.reshape(x.shape[0], 2, 12, 12)

    def smaller(x: Tensor) -> Tensor:
        apart = x.view(x.shape[0], 8, 3, 2, 3, 2).permute(0, 3, 5, 1, 2, 4)
        return apart.reshape(x.shape[0], 32, 3, 3)

    def focus(x: Tensor) -> Tensor:
        parts = [x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
        return torch.cat(parts, 1)

    def turned(x: Tensor) -> Tensor:
        return x.transpose(2, 3)

    assert words(Written(shuffle)) == "shuffle"
    assert words(Written(larger)) == "pixel_shuffle"
    assert words(Written(smaller)) == words(Written(focus)) == "space_to_depth"
    assert words(Written(turned)) == "permute"


def test_what_is_split_and_joined_again_is_nothing() -> None:
    assert words(Written(lambda x: F.relu(torch.cat(x.chunk(4, 1), 1)))) == "relu"
    halves = Written(lambda x: torch.cat([F.relu(x[:, :4]), x[:, 4:]], 1))
    assert words(halves) == "slice relu slice concat"


def test_maps_that_are_stacked_are_channels() -> None:
    def selected(x: Tensor, conv: nn.Module) -> Tensor:
        both = torch.stack([F.relu(x), torch.tanh(x)], 1)
        weights = conv(both.sum(1).mean((2, 3), keepdim=True))
        weights = weights.reshape(x.shape[0], 2, 8, 1, 1).softmax(1)
        return (both * weights).sum(1)

    made = imported(Written(selected, parts=[nn.Conv2d(8, 16, 1)])).graph.layers
    assert " ".join(layer.op.word.replace(" ", "_") for layer in made[3:]) == (
        "concat slice slice add pool_avg conv softmax mul slice slice add"
    )


def test_every_second_pixel_is_a_pool() -> None:
    assert words(Written(lambda x: x[:, :, ::2, ::2])) == "pool_max"
    assert words(Written(lambda x: x[:, :, 1::2, 1::2])) == "crop pool_max"


# ---- padding -------------------------------------------------------------------------------------


def test_padding_joins_the_layer_behind_it() -> None:
    conv = nn.Conv2d(8, 8, 3, stride=2)
    even = Written(lambda x, conv: conv(F.pad(x, (1, 1, 1, 1))), parts=[conv])
    upper = Written(lambda x, conv: conv(F.pad(x, (0, 1, 0, 1))), parts=[conv])
    lower = Written(lambda x, conv: conv(F.pad(x, (1, 0, 1, 0))), parts=[conv])
    assert "conv 8 3x3 stride=2 same\n" in imported(even).body
    assert "same_upper" in imported(upper).body
    assert words(lower) == "pad conv"
    largest = Written(
        lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, stride=2)
    )
    assert "pool max 3x3 stride=2 same_upper" in imported(largest).body
    zeros = Written(lambda x: F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, stride=2))
    assert words(zeros) == "pad pool_max"


# ---- learned and constant numbers ----------------------------------------------------------------


def test_learned_numbers() -> None:
    assert words(Written(lambda x, w: x * w, (8, 1, 1))) == "scale"
    assert words(Written(lambda x, w, b: x * w + b, (1, 8, 1, 1), (1, 8, 1, 1))) == "scale bias"
    assert words(Written(lambda x, w: x * w, (1,))) == "scale"
    assert "per=element" in imported(Written(lambda x, b: x + b, (1, 8, 6, 6))).body
    tokens = Written(lambda x, b: (x.flatten(2).mT + b).mT.reshape(x.shape), (1, 36, 8))
    assert words(tokens) == "bias"
    assert words(Written(lambda x: 1 - 2 * x)) == "scale_by scale_by offset_by"


def test_squeeze_and_excitation_in_all_shapes() -> None:
    def of_vectors(x: Tensor, one: nn.Module, two: nn.Module) -> Tensor:
        weights = torch.sigmoid(two(F.relu(one(x.mean((2, 3))))))
        return x * weights[:, :, None, None].expand_as(x)

    parts = [nn.Linear(8, 4), nn.Linear(4, 8)]
    made = words(Written(of_vectors, parts=parts))
    assert made == "pool_avg flatten fc relu fc sigmoid mul"

    def efficient(x: Tensor, conv: nn.Module) -> Tensor:
        y = conv(x.mean((2, 3)).view(x.shape[0], 1, -1))
        return x * y.sigmoid().view(x.shape[0], -1, 1, 1)

    made = words(Written(efficient, parts=[nn.Conv1d(1, 1, 3, padding=1)]))
    assert made == "pool_avg reshape conv sigmoid reshape mul"


# ---- attention -----------------------------------------------------------------------------------


class Attention(nn.Module):
    """As a vision transformer has it."""

    def __init__(self, heads: int, *, fused: bool, window: int = 0, bias: bool = False) -> None:
        super().__init__()
        self.heads, self.fused, self.window = heads, fused, window
        self.qkv, self.project = nn.Linear(8, 24), nn.Linear(8, 8)
        side = window or 6
        self.bias = None
        if bias:
            self.bias = nn.Parameter(torch.randn((2 * side - 1) ** 2, heads))
            places = torch.stack(
                torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
            )
            away = places.flatten(1)[:, :, None] - places.flatten(1)[:, None]
            away = away.permute(1, 2, 0) + side - 1
            self.register_buffer("index", (away[..., 0] * (2 * side - 1) + away[..., 1]).flatten())

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        x = x.permute(0, 2, 3, 1)
        n = self.window
        if n:
            x = x.view(batch, height // n, n, width // n, n, channels)
            x = x.permute(0, 1, 3, 2, 4, 5).reshape(-1, n * n, channels)
        else:
            x = x.reshape(batch, height * width, channels)
        images, places, _ = x.shape
        qkv = self.qkv(x).reshape(images, places, 3, self.heads, channels // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        added = None
        if self.bias is not None:
            added = self.bias[self.index].view(places, places, -1).permute(2, 0, 1)[None]
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=added)
        else:
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
            scores = scores if added is None else scores + added
            y = scores.softmax(-1) @ v
        y = self.project(y.transpose(1, 2).reshape(images, places, channels))
        if n:
            y = y.view(batch, height // n, width // n, n, n, channels).permute(0, 1, 3, 2, 4, 5)
        return y.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


@pytest.mark.parametrize("fused", [True, False])
def test_attention_is_one_layer(fused: bool) -> None:
    made = imported(Attention(2, fused=fused))
    assert [layer.op.word for layer in made.graph.layers] == ["input", "conv", "attention", "conv"]
    assert "attention heads=2\n" in made.body


class Halo(nn.Module):
    """Attention within windows of 4x4, to keys also around them, with vectors for distances."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.kv = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 20, 1)
        self.rows = nn.Parameter(torch.randn(11, 4))
        self.columns = nn.Parameter(torch.randn(11, 4))

    def along(self, q: Tensor, table: Tensor) -> Tensor:
        """By padding and reshaping, a shift of each row by one more."""
        images, height, width, _ = q.shape
        x = (q @ table.mT).reshape(-1, width, 11)
        x = F.pad(F.pad(x, (0, 1)).flatten(1), (0, 11 - width))
        x = x.reshape(-1, width + 1, 11)[:, :width, 5:]
        return x.reshape(images, height, 1, width, 6).expand(-1, -1, 6, -1, -1)

    def forward(self, x: Tensor) -> Tensor:
        many = x.shape[0] * 2
        q = self.q(x).reshape(many, 4, 2, 4, 2, 4).permute(0, 1, 3, 5, 2, 4)
        q = q.reshape(many, 4, 16, 4).transpose(1, 3)
        kv = F.pad(self.kv(x), (1, 1, 1, 1)).unfold(2, 6, 4).unfold(3, 6, 4)
        k, v = kv.reshape(many, 10, 4, 36).permute(0, 2, 3, 1).split([4, 6], -1)
        placed = q.reshape(-1, 4, 4, 4)
        columns = self.along(placed, self.columns).permute(0, 1, 3, 2, 4)
        rows = self.along(placed.transpose(1, 2), self.rows).permute(0, 3, 1, 4, 2)
        scores = (q @ k.mT) * 0.5 + (rows + columns).reshape(many, 4, 16, 36)
        y = (scores.softmax(-1) @ v).transpose(1, 3).reshape(-1, 4, 4, 2, 2)
        return y.permute(0, 3, 1, 4, 2).reshape(x.shape[0], 12, 8, 8)


def test_attention_with_halos_and_relative_positions() -> None:
    made = imported(Halo(), (8, 8, 8))
    assert "attention heads=2 windows=4 halo=1 position=relative {" in made.body
    words = [layer.op.word for layer in made.graph.layers]
    assert words == ["input", "conv", "conv", "conv", "attention"]


def test_attention_of_torch_itself() -> None:
    def attend(x: Tensor, attention: nn.MultiheadAttention) -> Tensor:
        tokens = x.flatten(2).permute(2, 0, 1)
        y = attention(tokens, tokens, tokens, need_weights=False)[0]
        return y.permute(1, 2, 0).reshape(x.shape)

    made = words(Written(attend, parts=[nn.MultiheadAttention(8, 2)]))
    assert made == "conv attention conv"


def test_attention_within_windows_with_positions() -> None:
    made = imported(Attention(2, fused=True, window=3, bias=True))
    assert "attention heads=2 windows=3 position=bias" in made.body.replace("3x3", "3")
    made = imported(Attention(2, fused=False, bias=True))
    assert "attention heads=2 position=bias" in made.body


def test_products_of_maps() -> None:
    def context(x: Tensor, conv: nn.Module) -> Tensor:
        weights = conv(x).reshape(x.shape[0], 1, -1).softmax(2).unsqueeze(3)
        y = x.reshape(x.shape[0], x.shape[1], -1).unsqueeze(1) @ weights
        return x + y.reshape(x.shape[0], x.shape[1], 1, 1)

    made = words(Written(context, parts=[nn.Conv2d(8, 1, 1)]))
    assert made == "conv softmax matmul add"

    def alike(x: Tensor) -> Tensor:
        flat = x.flatten(2)
        return F.relu(flat.mT @ flat).reshape(x.shape[0], 36, 6, 6)

    assert words(Written(alike)) == "matmul relu"


class CrossCovariance(nn.Module):
    """Attention of channels, with a learned temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.temperature = nn.Parameter(torch.tensor([1.5, 0.5]).reshape(2, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *sides = x.shape
        x = self.qkv(x.flatten(2).mT)
        q, k, v = x.reshape(batch, -1, 3, 2, channels // 2).permute(2, 0, 3, 4, 1).unbind(0)
        weights = (F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT) * self.temperature
        y = weights.softmax(-1) @ v
        return y.permute(0, 3, 1, 2).reshape(batch, -1, channels).mT.reshape(batch, -1, *sides)


def test_attention_of_channels() -> None:
    assert words(CrossCovariance()) == "conv cross_covariance"


# ---- large graphs --------------------------------------------------------------------------------


def test_long_chains_of_numbers_and_wide_concatenations() -> None:
    source = Source("net", "net")
    span = Span(source, 0, 3)

    def program(calls: list[Call]) -> Program:
        return Program("net", calls, [Result(each, "") for each in calls[-3:]], 5, [])

    calls = [Call(0, "input", (), {}, (5, 8, 4, 4), "x", span)]
    for n in range(1200):
        function, number = ("mul", 0.5) if n % 2 else ("add", 1.0)
        calls.append(Call(n + 1, function, (calls[-1], number), {}, (5, 8, 4, 4), "", span))
    assert len(graph_of(program(calls)).layers) == 1201
    calls = calls[:300]
    for n in range(20):
        shape = (5, 8 * (280 + n), 4, 4)
        parts = tuple(calls[: 280 + n])
        calls.append(Call(300 + n, "concat", parts, {"axis": 1}, shape, "", span))
    made = graph_of(program(calls)).layers
    assert [len(layer.inputs) for layer in made[-3:]] == [297, 2, 2]


# ---- what cannot be said -------------------------------------------------------------------------


def test_what_cannot_be_said_is_named() -> None:
    made = graph(Written(lambda x: torch.cumsum(F.relu(x), 1)))
    assert [(each.what, each.why) for each in made.unsaid] == [
        ("cumsum", "the language has no layer for `cumsum`")
    ]
    assert made.outputs[-1].layer.op.word == "relu"
    made = graph(Written(lambda x: x / (2 + x.square())))
    assert made.unsaid[0].why == "it divides by what it computes"
