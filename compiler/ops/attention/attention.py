"""Attention over the places of a map: of all, or within windows or grids; with heads, and with
positions that are learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from ...language.kinds import choice, count, flag, natural, pair
from ...language.signature import ArgumentError
from ...shapes import Pair, Shape, ShapeError, by, plain, size, text
from ..base import EVERYTHING, Kept, TorchText, Weight, Window, constructor, helper
from ..worked import Element, Worked, products, summed
from .heads import COUNTED, Heads, OverMaps, softmax

POSITIONS = ("none", "bias", "relative")


class Attention(OverMaps):
    """Multi-head attention over the places of a map: each gets a weighted mean of all values.

    The input has the channels of queries, keys and values, all three from a 1x1 convolution; one
    after it mixes the heads: `conv 3*channels 1x1, attention heads=8, conv channels 1x1`. A body
    computes the three in paths of their own; keys and values may be smaller maps, and those with
    the channels of one head serve all heads (multi-query attention).

    `position=bias` adds a learned number for each head and distance (Swin, CoAtNet), and
    `position=relative` the products of queries with learned vectors for each distance along height
    and width (BoTNet): both know the size of the map, or of the windows. `windows=7` attends within
    windows of 7x7 (MaxViT), with `halo=2` also to two rows and columns around each (HaloNet);
    `grid=7` attends over a grid of 7x7 places that covers the whole map.
    """

    word: ClassVar[str] = "attention"
    example: ClassVar[str] = "conv 48, attention heads=2, conv 16"
    arithmetic: ClassVar[str] = (
        "output: the values' channels (a third of C for one map), height and width of the queries\n"
        "weights of a place: softmax of query * key / sqrt(channels of a key), over all places\n"
        "output: the mean of all values with these weights, head by head\n"
        "parameters: heads for each distance with `position=bias`, a vector for each distance along"
        " an axis with `position=relative`, otherwise none\n"
        "multiply-adds: places * keys of each * (key + value channels), + places * distances * key"
        " channels with `position=relative`" + COUNTED
    )

    heads: int = count("heads: attention side by side, each over its share of the channels", 1)
    key: int | None = count(
        "channels of a query, and of a key, in each head, for one map whose values have another"
        " number",
        None,
        example="16",
    )
    position: str = choice("what tells places apart", POSITIONS, "none")
    windows: Pair | None = pair("height and width of the windows to attend within", None)
    grid: Pair | None = pair("height and width of grids to attend within", None)
    halo: int = natural("rows and columns around each window that have keys, too", 0)
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
    def _part(self) -> Pair | None:
        """Height and width of a window, or of a grid."""
        return self.windows or self.grid

    def divided(self, *inputs: Shape) -> Heads:
        heads = self.by_heads(inputs)
        part = self._part
        if (part is not None or self.position != "none") and heads.queries != heads.keys:
            what = f"`position={self.position}`" if part is None else "windows"
            raise ShapeError(
                f"queries are {by(heads.queries)} and keys {by(heads.keys)}: {what} need the same"
                " places",
                "use the same strides in all paths",
            )
        if part is not None:
            for side, each, name in zip(heads.queries, part, ("rows", "columns"), strict=True):
                if side % each:
                    raise ShapeError(
                        f"{side} {name} cannot be divided into windows of {each}",
                        f"a window of {math.gcd(side, each)} would fit, or"
                        f" {-(-side // each) * each} {name}",
                    )
        return heads

    def _places(self, heads: Heads) -> tuple[Pair, Pair]:
        """Height and width of what attends together: its queries and its keys."""
        if self._part is None:
            return heads.queries, heads.keys
        height, width = self._part
        return self._part, (height + 2 * self.halo, width + 2 * self.halo)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        heads = self.divided(*inputs)
        (rows, columns), (key_rows, key_columns) = self._places(heads)
        if self.position == "bias":
            distances = (rows + key_rows - 1) * (columns + key_columns - 1)
            return (Weight("position_bias", (distances, self.heads)),)
        if self.position == "relative":
            return (
                Weight("height_rel", (2 * key_rows - 1, heads.key)),
                Weight("width_rel", (2 * key_columns - 1, heads.key)),
            )
        return ()

    def _scores(self, heads: Heads) -> int:
        """The number of pairs of a query and a key, in all heads."""
        _, keys = self._places(heads)
        return self.heads * heads.queries[0] * heads.queries[1] * keys[0] * keys[1]

    def _relative(self, heads: Heads) -> int:
        """Products of queries with the vectors of distances."""
        if self.position != "relative":
            return 0
        _, keys = self._places(heads)
        distances = 2 * (keys[0] + keys[1]) - 2
        return self.heads * heads.queries[0] * heads.queries[1] * distances * heads.key

    def macs(self, output: Shape, *inputs: Shape) -> int:
        heads = self.divided(*inputs)
        return self._scores(heads) * (heads.key + heads.value) + self._relative(heads)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Scale and softmax of each score; sums of those of a position."""
        heads = self.divided(*inputs)
        sums = {"none": 0, "bias": 1, "relative": 2}[self.position]
        return (2 + sums) * self._scores(heads)

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        if self.windows is None:
            return EVERYTHING
        # Where in its window a place lies differs: this is all that any of them may see.
        (height, width), halo = self.windows, self.halo
        return Window(
            (2 * (height + halo) - 1, 2 * (width + halo) - 1),
            (1, 1),
            (1 - height - halo, 1 - width - halo),
        )

    def holds_size(self, *inputs: Shape) -> tuple[str, str]:
        if self.position == "none" or self._part is not None:
            return "", ""
        return (
            f"`position={self.position}` has weights for the distances in a map of"
            f" {by(self.divided(*inputs).queries)}",
            "`windows=7` has those of a window",
        )

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        heads = self.divided(*inputs)
        queries, keys = heads.queries[0] * heads.queries[1], heads.keys[0] * heads.keys[1]
        if self._part is not None:
            (height, width), (down, right) = self._places(heads)
            keys = queries // (height * width) * down * right
        read = self.heads * (queries * heads.key + keys * (heads.key + heads.value))
        if self.position == "none" and heads.key == heads.value:
            # The fused kernel keeps what it reads, its output, and a number for each query.
            alone = 1 if heads.shared else self.heads
            read = self.heads * queries * heads.key + alone * keys * (heads.key + heads.value)
            return Kept(own=read + self.heads * queries * (heads.value + 1))
        # It takes heads of one size, and no position that is trained: that needs the scores.
        relative = self.heads * queries * heads.key if self.position == "relative" else 0
        return Kept(own=read + self._scores(heads) + relative)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        heads = self.divided(*inputs)
        names = {"none": "Attention", "bias": "BiasedAttention", "relative": "RelativeAttention"}
        arguments: list[object] = [self.heads]
        queries, keys = self._places(heads)
        if self.position == "bias":
            arguments.append(plain(queries))
        elif self.position == "relative":
            arguments += [plain(keys), heads.key]
        module = constructor(
            names[self.position],
            *arguments,
            key=(self.key if len(inputs) == 1 else None, None),
            by_head=(self.by_head and len(inputs) == 1, False),
            windows=(None if self.windows is None else plain(self.windows), None),
            grid=(None if self.grid is None else plain(self.grid), None),
            halo=(self.halo, 0),
        )
        own = {"none": "", "bias": BIASED_ATTENTION, "relative": RELATIVE_ATTENTION}[self.position]
        read = ", ".join(f"{{{n}}}" for n in range(len(inputs)))
        return TorchText(module, f"{{m}}({read})", "\n\n".join(filter(None, (ATTENTION, own))))

    # ---- explanations ----

    def work_out(self, element: Element) -> Worked:
        heads = self.divided(*element.inputs)
        head, own = divmod(element.channel, heads.value)
        query = [
            element.read(number, channel, element.row, element.column)
            for n in range(heads.key)
            for number, channel in [self._query(element, heads, head, n)]
        ]
        places = self._attended(heads, element.row, element.column)
        scores: list[float] = []
        for row, column in places:
            inside = 0 <= row < heads.keys[0] and 0 <= column < heads.keys[1]
            score = 0.0
            if inside:
                for n in range(heads.key):
                    number, channel = self._key(element, heads, head, n)
                    score += query[n] * element.read(number, channel, row, column)
            score /= math.sqrt(heads.key)
            scores.append(score + self._positional(element, heads, head, query, (row, column)))
        number, channel = self._value(element, heads, head, own)
        terms = [
            element.term(channel, row, column, weight, input=number)
            for (row, column), weight in zip(places, softmax(scores), strict=True)
            if 0 <= row < heads.keys[0] and 0 <= column < heads.keys[1]
        ]
        rule = (
            f"sum of value*weight over {len(places)} places, weights: softmax of query*key /"
            f" sqrt({heads.key})" + (", + position" if self.position != "none" else "")
        )
        return summed(element, [products(f"head {head}", terms)], None, rule)

    def _attended(self, heads: Heads, row: int, column: int) -> list[Pair]:
        """The places whose keys a query sees; those of a halo may lie outside the map."""
        (height, width), (rows, columns) = heads.queries, heads.keys
        if self.windows is not None:
            top, left = row // self.windows[0] * self.windows[0], column // self.windows[1]
            left = left * self.windows[1]
            return [
                (top + down, left + right)
                for down in range(-self.halo, self.windows[0] + self.halo)
                for right in range(-self.halo, self.windows[1] + self.halo)
            ]
        if self.grid is not None:
            down, right = height // self.grid[0], width // self.grid[1]
            return [
                (row % down + n * down, column % right + m * right)
                for n in range(self.grid[0])
                for m in range(self.grid[1])
            ]
        return [(n, m) for n in range(rows) for m in range(columns)]

    def _positional(
        self, element: Element, heads: Heads, head: int, query: Sequence[float], key: Pair
    ) -> float:
        if self.position == "none":
            return 0.0
        queries, keys = self._places(heads)
        steps = (1, 1)
        if self.grid is not None:
            steps = (heads.queries[0] // self.grid[0], heads.queries[1] // self.grid[1])
        # How far the key lies below and to the right.
        down = (key[0] - element.row) // steps[0]
        right = (key[1] - element.column) // steps[1]
        if self.position == "bias":
            place = (keys[0] - self.halo - 1 - down) * (queries[1] + keys[1] - 1)
            place += keys[1] - self.halo - 1 - right
            return element.weight("position_bias", (place, head))
        # Keys are counted from the first row of the halo.
        down, right = down + self.halo + keys[0] - 1, right + self.halo + keys[1] - 1
        return sum(
            query[n]
            * (element.weight("height_rel", (down, n)) + element.weight("width_rel", (right, n)))
            for n in range(heads.key)
        )

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        heads = self.divided(*inputs)
        _, keys = self._places(heads)
        shared = ", keys and values shared by all" if heads.shared else ""
        scores = self._scores(heads)
        area = keys[0] * keys[1]
        places = f"{heads.queries[0]}*{heads.queries[1]} places * {area} keys"
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
        relative = self._relative(heads)
        macs = f"{scores:,} * ({heads.key} + {heads.value})"
        macs += f" + {relative:,} with the distances" if relative else ""
        return [*lines, ("multiply-adds", f"{macs} = {self.macs(output, *inputs):,}")]


ATTENTION = helper('''\
class Attention(nn.Module):
    """Each place gets a mean of all values, weighted by how well its query fits their keys."""

    def __init__(
        self,
        heads: int,
        key: int | None = None,
        by_head: bool = False,
        windows: int | tuple[int, int] | None = None,
        grid: int | tuple[int, int] | None = None,
        halo: int = 0,
    ) -> None:
        super().__init__()
        self.heads, self.key, self.by_head, self.halo = heads, key, by_head, halo
        part = windows if grid is None else grid
        self.part = (part, part) if isinstance(part, int) else part
        self.grid = grid is not None

    def forward(
        self,
        q: Tensor,
        k: Tensor | None = None,
        v: Tensor | None = None,
    ) -> Tensor:
        if k is None or v is None:
            q, k, v = self.apart(q)
        height, width = q.shape[2:]
        if self.part is not None:
            q = self.divided(q)
            k, v = (self.divided(x, self.halo) for x in (k, v))
        places = q.shape[2:]
        q = torch.unflatten(q.flatten(2), 1, (self.heads, -1)).mT.contiguous()
        k = torch.unflatten(k.flatten(2), 1, (-1, q.shape[-1])).mT.contiguous()
        v = torch.unflatten(v.flatten(2), 1, (k.shape[1], -1)).mT.contiguous()
        k, v = k.expand(-1, self.heads, -1, -1), v.expand(-1, self.heads, -1, -1)
        scores = self.position(q)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=scores)
        y = torch.unflatten(y.mT.flatten(1, 2), 2, places)
        return y if self.part is None else self.together(y, height, width)

    def position(self, q: Tensor) -> Tensor | None:
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

    def divided(self, x: Tensor, halo: int = 0) -> Tensor:
        """The map by its windows, which become images, or by its grids."""
        assert self.part is not None
        rows, columns = self.part
        if self.grid:
            x = torch.unflatten(x, 3, (columns, -1))
            x = torch.unflatten(x, 2, (rows, -1))
            return x.permute(0, 3, 5, 1, 2, 4).flatten(0, 2)
        x = F.pad(x, (halo, halo, halo, halo)) if halo else x
        x = x.unfold(2, rows + 2 * halo, rows).unfold(3, columns + 2 * halo, columns)
        return x.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)

    def together(self, x: Tensor, height: int, width: int) -> Tensor:
        """The map of which these are the windows or grids."""
        assert self.part is not None
        rows, columns = self.part
        x = torch.unflatten(x, 0, (-1, height // rows, width // columns))
        order = (0, 3, 4, 1, 5, 2) if self.grid else (0, 3, 1, 4, 2, 5)
        return x.permute(order).flatten(4).flatten(2, 3)
''')


BIASED_ATTENTION = helper('''\
class BiasedAttention(Attention):
    """Attention with a learned number for each head and distance of a query from a key."""

    def __init__(
        self,
        heads: int,
        size: int | tuple[int, int],
        key: int | None = None,
        by_head: bool = False,
        windows: int | tuple[int, int] | None = None,
        grid: int | tuple[int, int] | None = None,
        halo: int = 0,
    ) -> None:
        super().__init__(heads, key, by_head, windows, grid, halo)
        rows, columns = (size, size) if isinstance(size, int) else size
        self.size = rows, columns
        distances = (2 * (rows + halo) - 1) * (2 * (columns + halo) - 1)
        self.position_bias = nn.Parameter(torch.empty(distances, heads))
        nn.init.trunc_normal_(self.position_bias, std=0.02)

    def position(self, q: Tensor) -> Tensor:
        rows, columns = self.size
        down, right = rows + 2 * self.halo, columns + 2 * self.halo
        bias = torch.unflatten(self.position_bias.mT, 1, (rows + down - 1, -1))
        # Of a query the distances to all keys, of which the last has the first.
        bias = bias.unfold(1, down, 1).unfold(2, right, 1).flip(3, 4)
        return bias.flatten(3).flatten(1, 2)[None]
''')


RELATIVE_ATTENTION = helper('''\
class RelativeAttention(Attention):
    """Attention with learned vectors for each distance along height and width, times queries."""

    def __init__(
        self,
        heads: int,
        size: int | tuple[int, int],
        channels: int,
        key: int | None = None,
        by_head: bool = False,
        windows: int | tuple[int, int] | None = None,
        grid: int | tuple[int, int] | None = None,
        halo: int = 0,
    ) -> None:
        super().__init__(heads, key, by_head, windows, grid, halo)
        rows, columns = (size, size) if isinstance(size, int) else size
        self.size = rows, columns
        self.height_rel = nn.Parameter(torch.empty(2 * rows - 1, channels))
        self.width_rel = nn.Parameter(torch.empty(2 * columns - 1, channels))
        for weight in (self.height_rel, self.width_rel):
            nn.init.trunc_normal_(weight, std=channels**-0.5)

    def position(self, q: Tensor) -> Tensor:
        rows, columns = self.size[0] - 2 * self.halo, self.size[1] - 2 * self.halo
        q = torch.unflatten(q, 2, (rows, columns))
        across = self.by_key(q @ self.width_rel.mT)
        down = self.by_key((q @ self.height_rel.mT).transpose(2, 3)).transpose(2, 3)
        return (down[..., None] + across[..., None, :]).flatten(4).flatten(2, 3)

    def by_key(self, scores: Tensor) -> Tensor:
        """From the scores of each distance, those of each key: query i has its keys from distance
        K - 1 - i on, of 2K - 1."""
        queries, distances = scores.shape[-2:]
        keys = (distances + 1) // 2
        shifted = F.pad(F.pad(scores, (0, 1)).flatten(-2), (0, distances - queries))
        shifted = torch.unflatten(shifted, -1, (-1, distances))
        return shifted[..., :queries, keys - 1 :]
''')
