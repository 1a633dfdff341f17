"""Attention over places and over channels, waves that tell places apart, products of maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dotcnn.compiler.ops.attention import (
    Attention,
    BilinearAttention,
    CrossCovariance,
    FourierPosition,
    LambdaLayer,
    MatMul,
    OverMaps,
)
from dotcnn.compiler.ops.attention.attention import POSITIONS
from dotcnn.compiler.shapes import PerAxis, Shape, all_axes
from dotcnn.training.runtime.import_torchvision import torchvision
from ops.conformance import build, conform, refuses

MAP = (12, 4, 6)
"""Two heads of two channels each for queries, keys and values."""


@pytest.mark.parametrize("by_head", [False, True])
@pytest.mark.parametrize("position", POSITIONS)
def test_of_one_map(position: str, by_head: bool) -> None:
    batch = 1 if position == "mlp" else 2  # what it adds is computed once for a batch
    op = Attention(heads=2, position=position, hidden=5, by_head=by_head)
    conform(op, MAP, batch=batch)
    conform(op.replace(key=1), MAP, batch=batch)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(
    "part", [{"windows": (2, 3)}, {"grid": (2, 3)}, {"windows": (2, 3), "halo": 1}], ids=str
)
def test_within_parts_of_a_map(part: dict[str, Any], position: str) -> None:
    batch = 1 if position == "mlp" else 2
    op = Attention(heads=2, position=position, hidden=5, **part)
    conform(op, MAP, probe=None, batch=batch)


@pytest.mark.parametrize("position", ["none", "relative"])
def test_within_windows_with_fewer_queries(position: str) -> None:
    """Two rows of queries and one column in a window of four rows and three columns."""
    queries, keys = (12, 4, 2), (12, 8, 6)
    op = Attention(heads=3, windows=(4, 3), halo=1, position=position)
    conform(op, queries, keys, (6, 8, 6), probe=None)
    refuses(op, (12, 4, 4), keys, keys, match="queries in steps that divide a window")
    for other in (op.replace(position="bias"), op.replace(windows=None, grid=(4, 3), halo=0)):
        refuses(other, queries, keys, keys, match="need the same places")


@pytest.mark.parametrize("keys", [(12, 2, 3), (4, 2, 3), (4, 4, 6)])
@pytest.mark.parametrize("values", [12, 6])
def test_of_three_maps(keys: tuple[int, int, int], values: int) -> None:
    """Keys of one head serve all three."""
    conform(Attention(heads=3), MAP, keys, (values, *keys[1:]), probe=None)


def test_the_formula() -> None:
    """By head and place, written out."""
    heads, x = 2, torch.randn(1, 12, 3, 4, dtype=torch.float64)
    q, k, v = x.flatten(2).view(3, heads, 2, 12)
    weights = torch.stack([(q[h].T @ k[h] / math.sqrt(2)).softmax(1) for h in range(heads)])
    expected = torch.cat([v[h] @ weights[h].T for h in range(heads)]).view(1, 4, 3, 4)
    assert torch.allclose(build(Attention(heads=2), (12, 3, 4)).forward(x), expected)


def test_a_window_sees_what_lies_in_it() -> None:
    op = Attention(heads=1, windows=(2, 2), halo=1)
    x = torch.randn(1, 3, 6, 6, requires_grad=True)
    out = build(op, (3, 6, 6)).forward(x)
    (gradient,) = torch.autograd.grad(out[0, :, 2, 3].sum(), x)
    rows, columns = gradient[0].abs().sum(0).nonzero().unbind(1)
    assert (rows.unique().tolist(), columns.unique().tolist()) == ([1, 2, 3, 4], [1, 2, 3, 4])
    window = op.window((1, 6, 6), (3, 6, 6))
    assert window != "everything"
    assert (window.size, window.start) == ((5, 5), (-2, -2))


def test_a_grid_covers_the_map() -> None:
    x = torch.randn(1, 3, 4, 6, requires_grad=True)
    out = build(Attention(grid=(2, 3)), (3, 4, 6)).forward(x)
    (gradient,) = torch.autograd.grad(out[0, :, 1, 0].sum(), x)
    seen = gradient[0].abs().sum(0).nonzero().tolist()
    assert seen == [[row, column] for row in (1, 3) for column in (0, 2, 4)]


def test_what_attention_refuses() -> None:
    told = refuses(Attention(heads=5), MAP, match="12 channels cannot be divided into queries")
    assert "`conv 15` before it" in told
    refuses(Attention(heads=2, windows=(3, 3)), MAP, match="4 rows cannot be .* windows of 3")
    refuses(
        Attention(heads=2), MAP, (5, 2, 3), MAP, match="keys are 2x3 and the values 4x6"
    )  # a value for each key
    refuses(Attention(heads=2), MAP, (5, 4, 6), MAP, match="end the path of the keys")
    refuses(Attention(heads=2, position="bias"), MAP, (12, 2, 3), (12, 2, 3), match="same places")
    refuses(Attention(windows=(2, 2), grid=(2, 2)), MAP, match="two ways", stricter=True)
    refuses(Attention(halo=1), MAP, match="`halo` is what is around", stricter=True)
    refuses(Attention(), (12,), match="needs a map")


KINDS = [
    Attention(heads=2),
    Attention(heads=2, by_head=True, key=1),
    Attention(heads=2, position="bias"),
    Attention(heads=2, position="relative"),
    Attention(heads=2, windows=all_axes(2), halo=1),
    Attention(heads=2, windows=all_axes(2), position="relative"),
    Attention(heads=2, grid=all_axes(2), position="bias"),
    Attention(heads=2, position="mlp", hidden=3),
    CrossCovariance(heads=2),
    FourierPosition(waves=4),
]


@pytest.mark.parametrize("op", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(12, 6), (12, 2, 4, 2)], ids=str)
def test_of_series_and_volumes(op: Any, shape: Shape) -> None:
    once = isinstance(op, FourierPosition) or getattr(op, "position", "") == "mlp"
    conform(op, shape, batch=1 if once else 2, probe=None)


@pytest.mark.parametrize("position", ["none", "bias", "relative"])
@pytest.mark.parametrize("part", ["", "windows", "grid"])
def test_a_row_is_a_series_and_a_slice_a_map(position: str, part: str) -> None:
    """Of a volume with one slice, of a map with one row, and of a series the same weights give the
    same outputs."""
    sizes = {1: (3,), 2: (1, 3), 3: (1, 1, 3)}
    x = torch.randn(2, 12, 6)
    outputs = []
    for axes, size in sizes.items():
        op = Attention(heads=2, position=position, **({part: size} if part else {}))
        built = build(op, (12, *(1,) * (axes - 1), 6))
        state = built.state()
        for name, value in state.items():
            along = name in ("position_bias", "length_rel" if axes == 1 else "width_rel")
            value.copy_(torch.linspace(-1, 1, value.numel()).view_as(value) if along else 0 * value)
        outputs.append(built.forward(x.view(2, 12, *(1,) * (axes - 1), 6)).flatten(2))
    assert torch.allclose(outputs[0], outputs[1], atol=1e-6)
    assert torch.allclose(outputs[0], outputs[2], atol=1e-6)


def test_products_of_series_and_volumes() -> None:
    for left, right in (((3, 8), (8, 5)), ((3, 2, 2, 2), (8, 1, 2, 2))):
        conform(MatMul(), left, right, probe=None)
        conform(MatMul(transpose=True), left, (3, *right[1:]), probe=None)
    others = [(12, 2, 3)] * 2
    refuses(Attention(heads=3), (12, 6), *others, match="different axes", stricter=True)


def test_the_weights_of_positions_hold_the_size() -> None:
    assert Attention(position="bias").holds_size(MAP)[0]
    assert not Attention(position="bias", windows=(2, 2)).holds_size(MAP)[0]
    assert not Attention().holds_size(MAP)[0]


@pytest.mark.parametrize("by_head", [False, True])
def test_over_channels(by_head: bool) -> None:
    conform(CrossCovariance(heads=2, by_head=by_head), MAP)
    conform(CrossCovariance(heads=1, by_head=by_head), (6, 2, 5))


def test_over_channels_of_three_maps() -> None:
    conform(CrossCovariance(heads=2), *[(4, 2, 3)] * 3, probe=None)
    refuses(CrossCovariance(heads=2), MAP, (6, 4, 6), MAP, match="all heads share")
    refuses(CrossCovariance(heads=2), MAP, MAP, (8, 4, 6), match="the same channels")


def test_waves() -> None:
    # The waves are computed once for a batch.
    conform(FourierPosition(waves=4), (3, 4, 6), batch=1)
    refuses(FourierPosition(waves=3), (3, 4, 6), match="even number")


@pytest.mark.parametrize("transpose", [False, True])
def test_products_of_maps(transpose: bool) -> None:
    op, left = MatMul(transpose=transpose), (3, 2, 4)
    right = (3, 2, 2) if transpose else (8, 2, 2)
    conform(op, left, right, probe=None)
    a, b = torch.randn(2, *left), torch.randn(2, *right)
    letters = "bcq,bcp->bqp" if transpose else "bcq,bqp->bcp"
    expected = torch.einsum(letters, a.flatten(2), b.flatten(2)).unflatten(2, (2, 2))
    assert torch.allclose(build(op, left, right).forward(a, b), expected, atol=1e-6)
    refuses(op, left, (5, 2, 2), match="they have to be the same number")


# ---- lambda layers -------------------------------------------------------------------------------

LAMBDAS: list[dict[str, Any]] = [{}, {"kernel": all_axes(3)}, {"position": "relative"}]


@pytest.mark.parametrize("how", LAMBDAS, ids=str)
@pytest.mark.parametrize("sides", [(6,), (3, 4), (2, 3, 2)], ids=str)
def test_lambda_layers(how: dict[str, Any], sides: PerAxis) -> None:
    conform(LambdaLayer(heads=2, key=3, **how), (14, *sides))
    conform(LambdaLayer(heads=1, **how), (3, *sides), (3, *sides), (4, *sides), probe=None)


def test_queries_of_a_lambda_layer_may_be_a_smaller_map() -> None:
    maps = [(6, 2, 2), (3, 3, 4), (5, 3, 4)]
    conform(LambdaLayer(heads=2), *maps, probe=None)
    for how in LAMBDAS[1:]:
        refuses(LambdaLayer(heads=2, **how), *maps, match="the same places, to tell them apart")


def test_a_neighborhood_is_wider_one_way() -> None:
    conform(LambdaLayer(heads=2, key=2, kernel=(5, 1)), (9, 4, 3))


def test_what_lambda_layers_refuse() -> None:
    told = refuses(LambdaLayer(), (80, 4, 4), match="leave none for values")
    assert "`conv 96` before it leaves 16" in told
    refuses(
        LambdaLayer(kernel=(4, 3)), (96, 4, 4), match="`kernel=5x3` has", stricter=True
    )  # torch pads one side more
    both = LambdaLayer(kernel=(3, 3), position="relative")
    refuses(both, (96, 4, 4), match="two ways to tell places apart", stricter=True)
    map_, keys = (6, 4, 4), (3, 4, 4)
    refuses(LambdaLayer(heads=3), map_, keys, keys, match="end the path of the queries with")
    refuses(LambdaLayer(heads=2), map_, keys, (3, 2, 4), match="the keys are 4x4 and the values")
    refuses(LambdaLayer(heads=2), map_, (3, 16), (3, 16), match="the same axes", stricter=True)
    refuses(LambdaLayer(), (96,), match="needs a map")
    assert LambdaLayer(position="relative").holds_size((96, 4, 4))[0]
    assert not LambdaLayer(kernel=(3, 3)).holds_size((96, 4, 4))[0]


# ---- bilinear attention --------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "groups"), [(4, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize("grid", [(2, 3), (1, 6), (4, 2)])
def test_bilinear_attention(channels: int, groups: int, grid: tuple[int, int]) -> None:
    op = BilinearAttention(grid=grid, groups=groups)
    weights = [(groups * side * side, 1, 1) for side in grid]
    conform(op, (channels, 4, 6), *weights, probe=None)


def test_the_weights_of_bilinear_attention_may_be_vectors_or_maps() -> None:
    conform(BilinearAttention(grid=(2, 3)), (2, 4, 6), (4,), (1, 3, 3), probe=None)


def test_weights_of_bilinear_attention_whose_sigmoids_are_all_zero() -> None:
    numbers = -200 + torch.arange(16.0).view(1, 16, 1, 1)
    built = build(BilinearAttention(grid=(4, 4)), (1, 4, 4), (16, 1, 1), (16, 1, 1))
    assert torch.allclose(
        built.forward(torch.ones(1, 1, 4, 4), numbers, numbers).sum(), torch.tensor(16.0)
    )


def test_what_bilinear_attention_refuses() -> None:
    op, weights = BilinearAttention(grid=(2, 3)), ((4, 1, 1), (9, 1, 1))
    told = refuses(op, (2, 5, 6), *weights, match="5 rows cannot be divided into 2 equal parts")
    assert "1 parts would fit, or 6 rows" in told
    refuses(op, (2, 4, 6), (4, 1, 1), (3, 1, 1), match="path of the columns leaves 3x1x1")
    refuses(op.replace(groups=3), (2, 4, 6), *weights, match="a number of groups that divides 2")
    refuses(op, (2, 6), *weights, match="along height and width", stricter=True)


# ---- beside the implementations that they come from ----------------------------------------------


@pytest.fixture
def timm() -> Any:
    torchvision()
    return pytest.importorskip("timm.layers", reason="timm is not installed")


def same(
    op: OverMaps | FourierPosition | LambdaLayer,
    theirs: nn.Module,
    weights: dict[str, str],
    run: Callable[[Tensor], Tensor],
    channels: int,
) -> None:
    """Values, and gradients by the input and by all weights, in double precision."""
    shape = (channels, 8, 8)
    built = build(op, shape)
    assert built.module is not None
    ours = built.module.double()
    theirs.double()
    torch.manual_seed(0)
    for value in theirs.parameters():
        nn.init.normal_(value, std=0.5)
    own = dict(theirs.named_parameters())
    with torch.no_grad():
        for name, value in ours.named_parameters():
            value.copy_(own[weights[name]].view_as(value))
    x = torch.randn(2, channels, 8, 8, dtype=torch.float64, requires_grad=True)
    results = []
    for forward, module in ((built.forward, ours), (run, theirs)):
        out = forward(x)
        factors = torch.arange(out.numel(), dtype=torch.float64).view_as(out).sin()
        gradients = torch.autograd.grad((out * factors).sum(), [x, *module.parameters()])
        results.append((out, gradients[0], sorted(g.norm().item() for g in gradients[1:])))
    (out, by_input, norms), (expected, by_their_input, their_norms) = results
    assert torch.allclose(out, expected, atol=1e-10)
    assert torch.allclose(by_input, by_their_input, atol=1e-10)
    assert norms == pytest.approx(their_norms)


def test_relative_positions_are_those_of_botnet(timm: Any) -> None:
    from timm.layers.bottleneck_attn import BottleneckAttn

    theirs = BottleneckAttn(24, feat_size=(8, 8), num_heads=2, dim_head=6)
    theirs.qkv = nn.Identity()
    weights = {name: f"pos_embed.{name}" for name in ("height_rel", "width_rel")}
    same(Attention(heads=2, key=6, position="relative"), theirs, weights, theirs, 2 * 2 * 6 + 24)


def test_relative_positions_with_a_halo_are_those_of_halonet(timm: Any) -> None:
    from timm.layers.halo_attn import HaloAttn

    theirs = HaloAttn(24, num_heads=2, dim_head=6, block_size=4, halo_size=2)
    op = Attention(heads=2, key=6, position="relative", windows=(4, 4), halo=2)

    # Their keys and values come by head from one convolution: here from a map in our order.
    class Rows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            k, v = x[:, 12:24], x[:, 24:]
            return torch.cat([k.unflatten(1, (2, 6)), v.unflatten(1, (2, 12))], 2).flatten(1, 2)

    class Queries(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :12]

    theirs.q, theirs.kv = Queries(), Rows()
    weights = {name: f"pos_embed.{name}" for name in ("height_rel", "width_rel")}
    same(op, theirs, weights, theirs, 2 * 2 * 6 + 24)


def test_a_bias_of_positions_is_that_of_coatnet(timm: Any) -> None:
    bias = timm.RelPosBias(window_size=(8, 8), num_heads=2)

    def run(x: Tensor) -> Tensor:
        q, k, v = x.view(2, 2, 12, -1).chunk(3, dim=2)
        y = F.scaled_dot_product_attention(q.mT, k.mT, v.mT, attn_mask=bias.get_bias())
        return y.mT.reshape(2, -1, 8, 8)

    weights = {"position_bias": "relative_position_bias_table"}
    same(Attention(heads=2, by_head=True, position="bias"), bias, weights, run, 24)


def test_a_bias_from_logarithms_is_that_of_timm(timm: Any) -> None:
    """Theirs leaves out some of the numbers between its layers in training."""
    bias = timm.RelPosMlp(window_size=(8, 8), num_heads=2, hidden_dim=5).eval()

    def run(x: Tensor) -> Tensor:
        q, k, v = x.view(2, 2, 12, -1).chunk(3, dim=2)
        y = F.scaled_dot_product_attention(q.mT, k.mT, v.mT, attn_mask=bias.get_bias())
        return y.mT.reshape(2, -1, 8, 8)

    weights = {
        f"{ours}.{name}": f"mlp.{theirs}.{name}"
        for ours, theirs in (("hidden", "fc1"), ("bias", "fc2"))
        for name in ("weight", "bias")
    }
    op = Attention(heads=2, by_head=True, position="mlp", hidden=5)
    same(op, bias, weights, run, 24)


@pytest.mark.parametrize("r", [5, None])
def test_lambda_layers_are_those_of_timm(timm: Any, r: int | None) -> None:
    from timm.layers.lambda_layer import LambdaLayer as Theirs

    theirs = Theirs(32, feat_size=(8, 8), num_heads=2, dim_head=6, r=r)
    theirs.qkv, theirs.norm_q, theirs.norm_v = nn.Identity(), nn.Identity(), nn.Identity()
    op = LambdaLayer(heads=2, key=6, position="relative")
    weights = {"position": "pos_emb"}
    if r is not None:
        op = LambdaLayer(heads=2, key=6, kernel=(r, r))
        weights = {f"conv.{name}": f"conv_lambda.{name}" for name in ("weight", "bias")}

    # Theirs takes the channels of its output from its input.
    def run(x: Tensor) -> Tensor:
        theirs.qkv.forward = lambda _: x  # type: ignore[method-assign]
        return theirs(x[:, :32])

    same(op, theirs, weights, run, 3 * 6 + 16)


def test_bilinear_attention_is_that_of_timm(timm: Any) -> None:
    from timm.layers.non_local_attn import BilinearAttnTransform

    theirs = BilinearAttnTransform(6, block_size=4, groups=2).double().eval()
    theirs.conv2 = nn.Identity()
    x = torch.randn(2, 6, 8, 12, dtype=torch.float64)
    few = theirs.conv1(x)
    rows = theirs.conv_p(F.adaptive_max_pool2d(few, (4, 1)))
    columns = theirs.conv_q(F.adaptive_max_pool2d(few, (1, 4)))
    op = BilinearAttention(grid=(4, 4), groups=2)
    built = build(op, (6, 8, 12), *[tuple(each.shape[1:]) for each in (rows, columns)])
    assert torch.allclose(built.forward(x, rows, columns), theirs(x), atol=1e-12)


def test_attention_over_channels_is_that_of_edgenext(timm: Any) -> None:
    from timm.models.edgenext import CrossCovarianceAttn

    theirs = CrossCovarianceAttn(8, num_heads=2)
    theirs.qkv, theirs.proj = nn.Identity(), nn.Identity()
    given: list[Tensor] = []
    theirs.qkv.forward = lambda x: given[-1]  # type: ignore[method-assign]

    def run(x: Tensor) -> Tensor:
        given.append(x.flatten(2).mT)
        # It gives as many channels as it gets, and its first layer makes three times as many.
        return theirs(given[-1][..., :8]).mT.unflatten(2, (8, 8))

    same(CrossCovariance(heads=2), theirs, {"temperature": "temperature"}, run, 24)


def test_waves_are_those_of_edgenext(timm: Any) -> None:
    from timm.models.edgenext import PositionalEncodingFourier

    theirs = PositionalEncodingFourier(hidden_dim=8, dim=6)
    weights = {f"projection.{name}": f"token_projection.{name}" for name in ("weight", "bias")}
    same(FourierPosition(waves=8), theirs, weights, lambda x: x + theirs((2, 8, 8)), 6)


def test_matmul_over_all_places() -> None:
    """A mean of the places, with weights that add up to 1; products of channels with channels."""
    op = MatMul(transpose_right=True)
    conform(op, (5, 3, 4), (2, 3, 4))
    conform(op, (5, 3, 4), (2, 6, 2))
    conform(op.replace(transpose=True), (3, 2, 2), (4, 3, 1))
    told = refuses(op, (5, 3, 4), (2, 3, 3), match="5x3x4, has 3.4 = 12 places, and the right")
    assert "maps of one size" in told
    x, weights = torch.randn(2, 5, 3, 4), torch.randn(2, 1, 3, 4).flatten(2).softmax(2)
    mean = build(op, (5, 3, 4), (1, 3, 4)).forward(x, weights.unflatten(2, (3, 4)))
    assert torch.allclose(mean[..., 0, 0], (x.flatten(2) * weights).sum(2), atol=1e-6)
