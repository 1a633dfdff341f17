"""Attention over the places of a map: of all, or within windows or grids; with heads, and with
positions that are learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import ClassVar, Literal

from ...language.kinds import choice, count, flag, natural, pair
from ...language.signature import ArgumentError
from ...shapes import AXES, LINES, PerAxis, Shape, ShapeError, axes_of, by, size, text
from ..base import EVERYTHING, Kept, TorchText, Weight, Window, constructor, helper
from ..worked import Element, Worked, products, summed
from .heads import COUNTED, Heads, OverMaps, softmax

POSITIONS = ("none", "bias", "relative", "mlp")


class Attention(OverMaps):
    """Multi-head attention over the places of a map: each gets a weighted mean of all values.

    The input has the channels of queries, keys and values, all three from a 1x1 convolution; one
    after it mixes the heads: `conv 3*channels 1x1, attention heads=8, conv channels 1x1`. A body
    computes the three in paths of their own; keys and values may be smaller maps, and those with
    the channels of one head serve all heads (multi-query attention).

    `position=bias` adds a learned number for each head and distance (Swin, CoAtNet), `position=mlp`
    numbers that two layers, with `hidden` numbers between them, compute from the logarithms of the
    distance (Swin v2), and `position=relative` the products of queries with learned vectors for
    each distance along height and width (BoTNet): all know the size of the map, or of the windows.
    `windows=7` attends within windows of 7x7 (MaxViT), with `halo=2` also to two rows and columns
    around each (HaloNet), where a stride in the path of the queries makes the output smaller;
    `grid=7` attends over a grid of 7x7 places that covers the whole map.
    """

    word: ClassVar[str] = "attention"
    gradient: ClassVar[str] = (
        "dvalues = weights, transposed, * dy; dweights = dy * values, transposed\n"
        "dscores = weights * (dweights - sum of dweights*weights over the keys)\n"
        "dqueries = dscores * keys / sqrt(d); dkeys = dscores, transposed, * queries / sqrt(d)"
    )
    called: ClassVar[str] = "Keras MultiHeadAttention, timm Attention"
    example: ClassVar[str] = "conv 48, attention heads=2, conv 16"
    arithmetic: ClassVar[str] = (
        "output: the values' channels (a third of C for one map), height and width of the queries\n"
        "weights of a place: softmax of query * key / sqrt(channels of a key), over all places\n"
        "output: the mean of all values with these weights, head by head\n"
        "parameters: heads for each distance with `position=bias`, a vector for each distance along"
        " an axis with `position=relative`, the two layers with `position=mlp`, otherwise none\n"
        "multiply-adds: places * keys of each * (key + value channels), + places * distances * key"
        " channels with `position=relative`, + distances * hidden * (axes + heads), once for a"
        " batch, with `position=mlp`" + COUNTED
    )

    heads: int = count("heads: attention side by side, each over its share of the channels", 1)
    key: int | None = count(
        "channels of each query and key in a head, for one map, if values have another number",
        None,
        example="16",
    )
    position: str = choice("what tells places apart", POSITIONS, "none")
    hidden: int = count("numbers between the two layers of `position=mlp`", 512)
    windows: PerAxis | None = pair("height and width of the windows to attend within", None)
    grid: PerAxis | None = pair("height and width of grids to attend within", None)
    halo: int = natural("rows and columns around each window whose keys are read as well", 0)
    by_head: bool = flag(
        "the channels are query, key and value of one head after the other, not those of all heads"
    )

    def check(self) -> None:
        if self.windows is not None and self.grid is not None:
            raise ArgumentError("`windows` and `grid` are two ways to divide a map", "keep one")
        if self.halo and self.windows is None:
            raise ArgumentError("`halo` is what is around `windows`", "write `windows=8 halo=2`")

    # ---- sizes ----

    @property
    def _part(self) -> PerAxis | None:
        """The size of a window, or of a grid."""
        return self.windows or self.grid

    def divided(self, *inputs: Shape) -> Heads:
        heads = self.by_heads(inputs)
        part = self._part
        if (part is not None or self.position != "none") and not self._fit(heads):
            what = "windows" if self._part else f"`position={self.position}`"
            need = "need the same places" if part is not None else "needs the same places"
            advice = "use the same strides in all paths"
            if self.windows and self.position in ("none", "relative"):
                need = "need the same places, or queries in steps that divide a window"
                advice += ", or `stride=2` in that of the queries"
            raise ShapeError(
                f"queries are {by(heads.queries)} and keys {by(heads.keys)}: {what} {need}", advice
            )
        if part is not None:
            lines = LINES[len(heads.keys)]
            for side, each, name in zip(heads.keys, part, lines, strict=True):
                if side % each:
                    raise ShapeError(
                        f"{side} {name} cannot be divided into windows of {each}",
                        f"a window of {math.gcd(side, each)} would fit, or"
                        f" {-(-side // each) * each} {name}",
                    )
        return heads

    def _fit(self, heads: Heads) -> bool:
        """Whether queries and keys have the same places, or there are queries at every second,
        third, … place of each window."""
        if heads.queries == heads.keys:
            return True
        if self.windows is None or self.position not in ("none", "relative"):
            return False
        sides = zip(heads.queries, heads.keys, self.windows, strict=True)
        return all(m % n == 0 and side % (m // n) == 0 for n, m, side in sides)

    def _queries_of(self, part: PerAxis, heads: Heads) -> PerAxis:
        """The size of a window, or of a grid, in queries."""
        sides = zip(part, heads.queries, heads.keys, strict=True)
        return tuple([side * n // m for side, n, m in sides])

    def _places(self, heads: Heads) -> tuple[PerAxis, PerAxis]:
        """The sizes of what attends together: its queries and its keys."""
        if self._part is None:
            return heads.queries, heads.keys
        around = tuple([side + 2 * self.halo for side in self._part])
        return self._queries_of(self._part, heads), around

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        heads = self.divided(*inputs)
        _, keys = self._places(heads)
        if self.position == "bias":
            return (Weight("position_bias", (self._distances(heads), self.heads)),)
        if self.position == "relative":
            named = zip(_relative_names(len(keys)), keys, strict=True)
            return tuple([Weight(name, (2 * side - 1, heads.key)) for name, side in named])
        if self.position == "mlp":
            return (
                Weight("hidden.weight", (self.hidden, len(keys))),
                Weight("hidden.bias", (self.hidden,)),
                Weight("bias.weight", (self.heads, self.hidden)),
                Weight("bias.bias", (self.heads,)),
            )
        return ()

    def _distances(self, heads: Heads) -> int:
        """How many distances of a query from a key there are."""
        return math.prod(n + m - 1 for n, m in zip(*self._places(heads), strict=True))

    def _scores(self, heads: Heads) -> int:
        """The number of pairs of a query and a key, in all heads."""
        _, keys = self._places(heads)
        return self.heads * size(heads.queries) * size(keys)

    def _relative(self, heads: Heads) -> int:
        """Products of queries with the vectors of distances."""
        if self.position != "relative":
            return 0
        _, keys = self._places(heads)
        distances = sum(2 * side - 1 for side in keys)
        return self.heads * size(heads.queries) * distances * heads.key

    def _mlp(self, heads: Heads) -> int:
        """Products of the two layers, which compute once for a batch."""
        if self.position != "mlp":
            return 0
        return self._distances(heads) * self.hidden * (len(heads.keys) + self.heads)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        heads = self.divided(*inputs)
        products = self._scores(heads) * (heads.key + heads.value)
        return products + self._relative(heads) + self._mlp(heads)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Scale and softmax of each score; sums of those of a position."""
        heads = self.divided(*inputs)
        sums = {"none": 0, "relative": len(heads.keys)}.get(self.position, 1)
        return (2 + sums) * self._scores(heads)

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        if self.windows is None or len({*self.divided(*inputs)[-2:]}) > 1:
            return EVERYTHING
        # Where in its window a place lies differs: this is all that any of them may see.
        sides = [side + self.halo for side in self.windows]
        return Window(
            tuple([2 * side - 1 for side in sides]),
            (1,) * len(sides),
            tuple([1 - side for side in sides]),
        )

    def holds_size(self, *inputs: Shape) -> tuple[str, str]:
        if self.position == "none" or self._part is not None:
            return "", ""
        has = "computes" if self.position == "mlp" else "has weights for"
        return (
            f"`position={self.position}` {has} the distances in a map of"
            f" {by(self.divided(*inputs).queries)}",
            "`windows=7` has those of a window",
        )

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        heads = self.divided(*inputs)
        queries, keys = size(heads.queries), size(heads.keys)
        if self._part is not None:
            inside, around = self._places(heads)
            keys = queries // size(inside) * size(around)
        read = self.heads * (queries * heads.key + keys * (heads.key + heads.value))
        if self.position == "none" and heads.key == heads.value:
            # The fused kernel keeps what it reads, its output, and a number for each query.
            alone = 1 if heads.shared else self.heads
            read = self.heads * queries * heads.key + alone * keys * (heads.key + heads.value)
            return Kept(own=read + self.heads * queries * (heads.value + 1))
        # It takes heads of one size, and no position that is trained: that needs the scores.
        relative = self.heads * queries * heads.key if self.position == "relative" else 0
        axes = len(heads.keys)
        mlp = self._distances(heads) * (axes + self.hidden) if self.position == "mlp" else 0
        return Kept(own=read + self._scores(heads) + relative, once=mlp)

    def gives_view(self, *inputs: Shape) -> bool:
        return self._part is None or axes_of(inputs[0]) > 1

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        heads, axes = self.divided(*inputs), axes_of(output)
        arguments: list[object] = [self.heads]
        queries, keys = self._places(heads)
        name, own = "Attention", ""
        if self.position == "bias":
            name, own = "BiasedAttention", BIASED_ATTENTION
            arguments.append(queries)
        elif self.position == "relative":
            name = f"RelativeAttention{_SUFFIX[axes]}"
            own = RELATIVE_ATTENTION[axes]
            arguments += [keys, heads.key]
        elif self.position == "mlp":
            name, own = "MlpAttention", MLP_ATTENTION
            arguments += [queries, self.hidden]
        module = constructor(
            name,
            *arguments,
            key=(self.key if len(inputs) == 1 else None, None),
            by_head=(self.by_head and len(inputs) == 1, False),
            windows=(self.windows and tuple(self.windows), None),
            grid=(self.grid and tuple(self.grid), None),
            halo=(self.halo, 0),
        )
        read = ", ".join(f"{{{n}}}" for n in range(len(inputs)))
        return TorchText(module, f"{{m}}({read})", "\n\n".join(filter(None, (ATTENTION, own))))

    # ---- explanations ----

    def work_out(self, element: Element) -> Worked:
        heads = self.divided(*element.inputs)
        head, own = divmod(element.channel, heads.value)
        query = [
            element.read(number, channel, *element.position)
            for n in range(heads.key)
            for number, channel in [self._query(element, heads, head, n)]
        ]
        places = self._attended(heads, element.position)
        inside = [
            all(0 <= at < side for at, side in zip(place, heads.keys, strict=True))
            for place in places
        ]
        scores: list[float] = []
        for place, there in zip(places, inside, strict=True):
            score = 0.0
            if there:
                for n in range(heads.key):
                    number, channel = self._key(element, heads, head, n)
                    score += query[n] * element.read(number, channel, *place)
            score /= math.sqrt(heads.key)
            scores.append(score + self._positional(element, heads, head, query, place))
        number, channel = self._value(element, heads, head, own)
        terms = [
            element.term(channel, place, weight, input=number)
            for place, there, weight in zip(places, inside, softmax(scores), strict=True)
            if there
        ]
        rule = (
            f"sum of value*weight over {len(places)} places, weights: softmax of query*key /"
            f" sqrt({heads.key})" + (", + position" if self.position != "none" else "")
        )
        return summed(element, [products(f"head {head}", terms)], None, rule)

    def _attended(self, heads: Heads, position: PerAxis) -> list[PerAxis]:
        """The places whose keys a query sees; those of a halo may lie outside the map."""
        along: list[Sequence[int]] = [range(side) for side in heads.keys]
        if self.windows is not None:
            firsts = self._firsts(heads, position)
            along = [
                range(first - self.halo, first + side + self.halo)
                for first, side in zip(firsts, self.windows, strict=True)
            ]
        elif self.grid is not None:
            steps = self._steps(heads)
            along = [
                [at % step + n * step for n in range(count)]
                for at, step, count in zip(position, steps, self.grid, strict=True)
            ]
        return list(product(*along))

    def _firsts(self, heads: Heads, position: PerAxis) -> PerAxis:
        """The first place of the window in which a query lies, without its halo."""
        assert self.windows is not None
        queries = self._queries_of(self.windows, heads)
        sides = zip(position, queries, self.windows, strict=True)
        return tuple([at // n * side for at, n, side in sides])

    def _steps(self, heads: Heads) -> PerAxis:
        """How far the places of a grid are apart."""
        if self.grid is None:
            return (1,) * len(heads.keys)
        return tuple([side // n for side, n in zip(heads.queries, self.grid, strict=True)])

    def _positional(
        self, element: Element, heads: Heads, head: int, query: Sequence[float], key: PerAxis
    ) -> float:
        if self.position == "none":
            return 0.0
        queries, keys = self._places(heads)
        # How far the key lies behind the query, along each axis.
        here = element.position
        if self.windows is not None:  # both are counted from the first of the window
            key = tuple([n - m for n, m in zip(key, self._firsts(heads, here), strict=True)])
            here = tuple([n % m for n, m in zip(here, queries, strict=True)])
        each = zip(key, here, self._steps(heads), strict=True)
        away = [(there - here) // step for there, here, step in each]
        if self.position == "bias":
            place = 0
            for distance, n, m in zip(away, queries, keys, strict=True):
                place = place * (n + m - 1) + m - self.halo - 1 - distance
            return element.weight("position_bias", (place, head))
        if self.position == "mlp":
            far = [math.copysign(math.log1p(abs(distance)), -distance) for distance in away]
            return element.weight("bias.bias", (head,)) + sum(
                element.weight("bias.weight", (head, n)) * self._hidden(element, far, n)
                for n in range(self.hidden)
            )
        # Keys are counted from the first of the halo.
        rows = [d + self.halo + side - 1 for d, side in zip(away, keys, strict=True)]
        named = list(zip(_relative_names(len(keys)), rows, strict=True))
        return sum(
            query[n] * sum([element.weight(name, (row, n)) for name, row in named])
            for n in range(heads.key)
        )

    def _hidden(self, element: Element, far: Sequence[float], n: int) -> float:
        """A number between the two layers of `position=mlp`."""
        products = [
            element.weight("hidden.weight", (n, axis)) * side for axis, side in enumerate(far)
        ]
        return max(sum(products) + element.weight("hidden.bias", (n,)), 0.0)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        heads = self.divided(*inputs)
        _, keys = self._places(heads)
        shared = ", keys and values shared by all" if heads.shared else ""
        scores = self._scores(heads)
        places = f"{'*'.join(map(str, heads.queries))} places * {size(keys)} keys"
        lines = [
            (
                "heads",
                f"{self.heads}, each with {heads.key} channels of a key and {heads.value} of a"
                f" value{shared}",
            ),
            ("scores", f"{places} * {self.heads} = {scores:,}, scaled by 1/sqrt({heads.key})"),
        ]
        weights = self.weights(*inputs)
        total = sum(size(weight.shape) for weight in weights)
        if weights:
            shapes = " + ".join(text(weight.shape) for weight in weights)
            lines.append(("parameters", f"{shapes} = {total:,}"))
        far = self._relative(heads) + self._mlp(heads)
        macs = f"{scores:,} * ({heads.key} + {heads.value})"
        macs += f" + {far:,} with the distances" if far else ""
        return [*lines, ("multiply-adds", f"{macs} = {self.macs(output, *inputs):,}")]


def _relative_names(axes: int) -> list[str]:
    """`height_rel`, `width_rel`: the weights with a vector for each distance."""
    return [f"{name}_rel" for name in AXES[axes]]


_OPTIONS = """\
        key: int | None = None,
        by_head: bool = False,
        windows: tuple[int, ...] | None = None,
        grid: tuple[int, ...] | None = None,
        halo: int = 0,
"""
"""Arguments of all."""

ATTENTION = helper(f'''\
class Attention(nn.Module):
    """Each place gets a mean of all values, weighted by how well its query fits their keys."""

    def __init__(
        self,
        heads: int,
{_OPTIONS}    ) -> None:
        super().__init__()
        self.heads, self.key, self.by_head, self.halo = heads, key, by_head, halo
        self.part = windows if grid is None else grid
        self.grid = grid is not None

    def forward(
        self,
        q: Tensor,
        k: Tensor | None = None,
        v: Tensor | None = None,
    ) -> Tensor:
        if k is None or v is None:
            q, k, v = self.apart(q)
        sides = q.shape[2:]
        few = self.part
        if self.part is not None:
            # Queries at every second place are half of the window along an axis.
            each = zip(self.part, sides, k.shape[2:], strict=True)
            few = tuple([n * queries // keys for n, queries, keys in each])
            q = self.divided(q, few)
            k, v = (self.divided(x, self.part, self.halo) for x in (k, v))
        places = q.shape[2:]
        q = torch.unflatten(q.flatten(2), 1, (self.heads, -1)).mT.contiguous()
        k = torch.unflatten(k.flatten(2), 1, (-1, q.shape[-1])).mT.contiguous()
        v = torch.unflatten(v.flatten(2), 1, (k.shape[1], -1)).mT.contiguous()
        k, v = k.expand(-1, self.heads, -1, -1), v.expand(-1, self.heads, -1, -1)
        scores = self.position(q, places)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=scores)
        y = torch.unflatten(y.mT.flatten(1, 2), 2, places)
        return y if few is None else self.together(y, few, sides)

    def position(self, q: Tensor, places: tuple[int, ...]) -> Tensor | None:
        """What is added to the scores of queries and keys."""
        return None

    def apart(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values."""
        channels = x.shape[1] // self.heads
        key = channels // 3 if self.key is None else self.key
        sizes = [key, key, channels - 2 * key]
        if self.by_head:
            x = torch.unflatten(x, 1, (self.heads, channels))
            q, k, v = (part.flatten(1, 2) for part in torch.split(x, sizes, 2))
        else:
            q, k, v = torch.split(x, [self.heads * each for each in sizes], 1)
        return q, k, v

    def divided(self, x: Tensor, part: tuple[int, ...], halo: int = 0) -> Tensor:
        """The map by its windows, which become images, or by its grids."""
        axes = len(part)
        if self.grid:
            for axis in range(axes, 0, -1):
                x = torch.unflatten(x, 1 + axis, (part[axis - 1], -1))
            inside, images = range(2, 2 + 2 * axes, 2), range(3, 3 + 2 * axes, 2)
        else:
            x = F.pad(x, [halo] * (2 * axes)) if halo else x
            for axis, size in enumerate(part):
                x = x.unfold(2 + axis, size + 2 * halo, size)
            inside, images = range(2 + axes, 2 + 2 * axes), range(2, 2 + axes)
        return x.permute(0, *images, 1, *inside).flatten(0, axes)

    def together(
        self,
        x: Tensor,
        part: tuple[int, ...],
        sides: tuple[int, ...],
    ) -> Tensor:
        """The map of which these are the windows or grids."""
        counts = [side // n for side, n in zip(sides, part, strict=True)]
        x = torch.unflatten(x, 0, (-1, *counts))
        axes, order = len(part), [0, 1 + len(part)]
        for axis in range(1, 1 + axes):
            image, inside = axis, 1 + axes + axis
            order += [inside, image] if self.grid else [image, inside]
        x = x.permute(order)
        for axis in range(2, 2 + axes):
            x = x.flatten(axis, axis + 1)
        return x
''')


BIASED_ATTENTION = helper(f'''\
class BiasedAttention(Attention):
    """Attention with a learned number for each head and distance of a query from a key."""

    def __init__(
        self,
        heads: int,
        size: tuple[int, ...],
{_OPTIONS}    ) -> None:
        super().__init__(heads, key, by_head, windows, grid, halo)
        self.size = size
        self.distances = [2 * (side + halo) - 1 for side in size]
        distances = torch.Size(self.distances).numel()
        self.position_bias = nn.Parameter(torch.empty(distances, heads))
        nn.init.trunc_normal_(self.position_bias, std=0.02)

    def position(self, q: Tensor, places: tuple[int, ...]) -> Tensor:
        axes = len(self.size)
        bias = torch.unflatten(self.position_bias.mT, 1, self.distances)
        # Of a query the distances to all keys, of which the last has the first.
        for axis, side in enumerate(self.size):
            bias = bias.unfold(1 + axis, side + 2 * self.halo, 1)
        bias = bias.flip(list(range(1 + axes, 1 + 2 * axes)))
        return bias.flatten(1 + axes).flatten(1, axes)[None]
''')


MLP_ATTENTION = helper(f'''\
class MlpAttention(Attention):
    """Attention with a number for each head and distance, which two layers compute from it."""

    def __init__(
        self,
        heads: int,
        size: tuple[int, ...],
        hidden: int,
{_OPTIONS}    ) -> None:
        super().__init__(heads, key, by_head, windows, grid, halo)
        self.size = size
        self.distances = [2 * (side + halo) - 1 for side in size]
        self.hidden = nn.Linear(len(size), hidden)
        self.bias = nn.Linear(hidden, heads)

    def position(self, q: Tensor, places: tuple[int, ...]) -> Tensor:
        axes = len(self.size)
        far = torch.cartesian_prod(*[self.along(side, q) for side in self.distances])
        bias = self.bias(F.relu(self.hidden(far.reshape(-1, axes))))
        bias = torch.unflatten(bias.mT, 1, self.distances)
        # Of a query the distances to all keys, of which the last has the first.
        for axis, side in enumerate(self.size):
            bias = bias.unfold(1 + axis, side + 2 * self.halo, 1)
        bias = bias.flip(list(range(1 + axes, 1 + 2 * axes)))
        return bias.flatten(1 + axes).flatten(1, axes)[None]

    def along(self, distances: int, q: Tensor) -> Tensor:
        """Logarithms of the distances along an axis, with their signs."""
        far = torch.arange(distances, device=q.device) - distances // 2
        return (far.sign() * far.abs().log1p()).to(self.hidden.weight.dtype)
''')


_SUFFIX = {1: "1d", 2: "", 3: "3d"}


def _by_axis(pattern: str, axes: int) -> str:
    """The lines of a pattern for each axis, indented as in a method."""
    return "\n".join(
        " " * 8 + pattern.format(name=name, number=number) for number, name in enumerate(AXES[axes])
    )


RELATIVE_ATTENTION = {
    axes: helper(f'''\
class RelativeAttention{_SUFFIX[axes]}(Attention):
    """Attention with learned vectors for each distance along an axis, times queries."""

    def __init__(
        self,
        heads: int,
        size: tuple[int, ...],
        channels: int,
{_OPTIONS}    ) -> None:
        super().__init__(heads, key, by_head, windows, grid, halo)
        self.size = size
        counts = [(2 * side - 1, channels) for side in size]
{_by_axis("self.{name}_rel = nn.Parameter(torch.empty(counts[{number}]))", axes)}
        for weight in ({weights}{"," * (axes == 1)}):
            nn.init.trunc_normal_(weight, std=channels**-0.5)

    def position(self, q: Tensor, places: tuple[int, ...]) -> Tensor:
        q = torch.unflatten(q, 2, places)
{_by_axis("{name} = self.by_key(q @ self.{name}_rel.mT, {number})", axes)}
        return ({" + ".join(AXES[axes])}).flatten({2 + axes}).flatten(2, {1 + axes})

    def by_key(self, scores: Tensor, axis: int) -> Tensor:
        """From the scores of each distance along an axis, those of each key: query i has its
        keys from distance K - 1 - i on, of 2K - 1."""
        scores = scores.transpose(2 + axis, -2)
        queries, distances = scores.shape[-2:]
        keys = (distances + 1) // 2
        shifted = F.pad(F.pad(scores, (0, 1)).flatten(-2), (0, distances - queries))
        shifted = torch.unflatten(shifted, -1, (-1, distances))
        by_key = shifted[..., :queries, keys - 1 :].transpose(2 + axis, -2)
        # The same for all places along the other axes of the keys.
        after = len(self.size) - 1 - axis
        return by_key.reshape(*by_key.shape[:-1], *[1] * axis, keys, *[1] * after)
''')
    for axes in (1, 2, 3)
    for weights in [", ".join(f"self.{name}" for name in _relative_names(axes))]
}
