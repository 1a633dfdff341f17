"""Attention over the places of a map and over its channels, and what goes with it: attention,
cross_covariance, fourier_position, matmul."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

from ..language.kinds import choice, count, flag, natural, number, pair
from ..language.signature import ArgumentError
from ..shapes import Pair, Shape, ShapeError, as_map, by, plain, size, text
from .base import (
    EVERYTHING,
    Autocast,
    Kept,
    Kind,
    Op,
    TorchText,
    Weight,
    Window,
    constructor,
    helper,
)
from .worked import Element, Step, Worked, exp, figure, products, summed

COUNTED = (
    "\nproducts of two maps count as multiply-adds here, as in torch's FLOP counter; tools that"
    " count layers with weights alone leave them out"
)


class Heads(NamedTuple):
    """How the channels of queries, keys and values are divided."""

    key: int
    """Channels of a query, and of a key, in each head."""
    value: int
    """Channels of a value in each head."""
    shared: bool
    """Whether all heads read the same keys and values."""
    queries: Pair
    keys: Pair
    """Height and width of the maps."""


class OverMaps(Op):
    """Reads queries, keys and values: one map with the channels of all three, or three maps."""

    autocast: ClassVar[Autocast] = "low"
    kind: ClassVar[Kind] = "attention"
    paths: ClassVar[tuple[str, ...]] = ("queries", "keys", "values")
    scales: ClassVar[bool] = False

    heads: int
    key: int | None = None
    by_head: bool = False

    def divided(self, *inputs: Shape) -> Heads:
        """How the channels are divided; raises ShapeError if they cannot be."""
        return self.by_heads(inputs)

    def by_heads(self, inputs: Sequence[Shape]) -> Heads:
        """The same, whatever else an operation asks of its inputs."""
        maps = [as_map(shape, self.word) for shape in inputs]
        if len(maps) == 1:
            return self._of_one(*maps[0])
        (queries, *place), (keys, *key_place), (values, *value_place) = maps
        if key_place != value_place:
            raise ShapeError(
                f"there is a value for each key, but the keys are {text(tuple(key_place))} and the"
                f" values {text(tuple(value_place))}",
                "use the same strides in both paths",
            )
        if queries % self.heads:
            raise ShapeError(*self._cannot(queries, "channels of queries"))
        each = queries // self.heads
        if keys not in (each, queries):
            raise ShapeError(
                f"queries have {queries} channels, {each} in each of {self.heads} heads, and keys"
                f" have {keys}",
                f"end the path of the keys with `conv {queries}`, or with `conv {each}` if all"
                " heads share them",
            )
        shared = keys == each and self.heads > 1
        if not shared and values % self.heads:
            raise ShapeError(*self._cannot(values, "channels of values"))
        value = values if shared else values // self.heads
        return Heads(each, value, shared, (place[0], place[1]), (key_place[0], key_place[1]))

    def _of_one(self, channels: int, height: int, width: int) -> Heads:
        places = (height, width)
        if self.key is None:
            each, rest = divmod(channels, 3 * self.heads)
            if rest or not each:
                total = 3 * self.heads
                raise ShapeError(
                    f"{channels} channels cannot be divided into queries, keys and values of"
                    f" {self.heads} heads",
                    f"`conv {max(-(-channels // total), 1) * total}` before it would fit: a third"
                    " each",
                )
            return Heads(each, each, False, places, places)
        value, rest = divmod(channels - 2 * self.heads * self.key, self.heads)
        if rest or value < 1:
            raise ShapeError(
                f"{channels} channels less 2*{self.heads}*{self.key} of queries and keys cannot be"
                f" divided into values of {self.heads} heads",
                f"`conv {2 * self.heads * self.key + channels}` before it leaves {channels} for"
                " values"
                if channels % self.heads == 0
                else f"a number of channels that {self.heads} divides",
            )
        return Heads(self.key, value, False, places, places)

    def _cannot(self, channels: int, what: str) -> tuple[str, str]:
        nearest = -(-channels // self.heads) * self.heads
        return (
            f"{channels} {what} cannot be divided into {self.heads} heads",
            f"{nearest} would: {nearest // self.heads} in each",
        )

    def output(self, *inputs: Shape) -> Shape:
        heads = self.divided(*inputs)
        return self.heads * heads.value, *heads.queries

    def _query(self, element: Element, heads: Heads, head: int, n: int) -> Pair:
        """The input and the channel of channel `n` of a query."""
        if self.by_head and len(element.inputs) == 1:
            return 0, head * (2 * heads.key + heads.value) + n
        return 0, head * heads.key + n

    def _key(self, element: Element, heads: Heads, head: int, n: int) -> Pair:
        if len(element.inputs) > 1:
            return 1, n if heads.shared else head * heads.key + n
        if self.by_head:
            return 0, head * (2 * heads.key + heads.value) + heads.key + n
        return 0, (self.heads + head) * heads.key + n

    def _value(self, element: Element, heads: Heads, head: int, n: int) -> Pair:
        if len(element.inputs) > 1:
            return 2, n if heads.shared else head * heads.value + n
        if self.by_head:
            return 0, head * (2 * heads.key + heads.value) + 2 * heads.key + n
        return 0, 2 * self.heads * heads.key + head * heads.value + n


def softmax(scores: Sequence[float]) -> list[float]:
    most = max(scores)
    powers = [exp(score - most) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


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


class CrossCovariance(OverMaps):
    """Attention over channels: each is a mean of the channels of its head (XCiT, EdgeNeXt).

    The input has the channels of queries, keys and values, or a body computes them in three paths,
    as for `attention`. Queries and keys are normalized to length 1 over the places, and a learned
    temperature scales their products. It costs as much for each place, whatever the map's size.
    """

    word: ClassVar[str] = "cross_covariance"
    example: ClassVar[str] = "conv 48, cross_covariance heads=2, conv 16"
    arithmetic: ClassVar[str] = (
        "output: the values' channels (a third of C for one map), height and width of the input\n"
        "weights of a channel: softmax of temperature * query * key, over those of its head\n"
        "output: the mean of the values of these channels\n"
        "parameters: heads\n"
        "multiply-adds: channels of queries * those of keys in a head * H * W, twice" + COUNTED
    )

    heads: int = count("heads: each attends over its share of the channels", 1)
    by_head: bool = flag(
        "the channels are query, key and value of one head after the other, not those of all heads"
    )

    def divided(self, *inputs: Shape) -> Heads:
        heads = self.by_heads(inputs)
        if heads.shared:
            raise ShapeError(
                "each channel of the keys belongs to one of the values, and all heads share these",
                "end the three paths with as many channels",
            )
        if heads.queries != heads.keys or heads.key != heads.value:
            raise ShapeError(
                "queries, keys and values need the same channels and places",
                "end the three paths with as many channels, and give them the same strides",
            )
        return heads

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("temperature", (self.heads, 1, 1)),)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return 2 * size(output) * (output[0] // self.heads)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Lengths of queries and keys and the divisions by them; scale and softmax."""
        each = output[0] // self.heads
        return 2 * 3 * size(output) + 2 * self.heads * each * each

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        channels = output[0]
        each = channels // self.heads
        read = tuple(range(len(inputs)))
        # Queries and keys before and after they are divided, their lengths, products and weights.
        own = 2 * size(output) + 4 * channels + 2 * self.heads * each * each
        if len(inputs) == 1 and not self.by_head and self.heads > 1:
            own += size(output)  # the values of several heads are copied from the map of all three
        return Kept(inputs=read, own=own)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = constructor(
            "CrossCovariance",
            self.heads,
            by_head=(self.by_head and len(inputs) == 1, False),
        )
        read = ", ".join(f"{{{n}}}" for n in range(len(inputs)))
        return TorchText(module, f"{{m}}({read})", CROSS_COVARIANCE)

    def work_out(self, element: Element) -> Worked:
        heads = self.divided(*element.inputs)
        head, own = divmod(element.channel, heads.value)
        _, height, width = element.output
        places = [(row, column) for row in range(height) for column in range(width)]

        def normalized(number: int, channel: int) -> list[float]:
            values = [element.read(number, channel, row, column) for row, column in places]
            length = max(math.sqrt(sum(value * value for value in values)), 1e-12)
            return [value / length for value in values]

        query = normalized(*self._query(element, heads, head, own))
        temperature = element.weight("temperature", (head, 0, 0))
        scores = []
        for n in range(heads.key):
            key = normalized(*self._key(element, heads, head, n))
            scores.append(temperature * sum(q * k for q, k in zip(query, key, strict=True)))
        terms = []
        for n, weight in enumerate(softmax(scores)):
            number, channel = self._value(element, heads, head, n)
            terms.append(element.term(channel, element.row, element.column, weight, input=number))
        rule = (
            f"sum of value*weight over {heads.key} channels, weights: softmax of temperature *"
            " query*key"
        )
        return summed(element, [products(f"head {head}", terms)], None, rule)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        each = output[0] // self.heads
        numbers = "*".join(map(str, output))
        return [
            ("heads", f"{self.heads}, each of {each} channels"),
            ("weights", f"{self.heads}*{each}*{each}, one for each two channels of a head"),
            ("parameters", f"{self.heads}: a temperature for each head"),
            ("multiply-adds", f"2 * {numbers} * {each} = {self.macs(output, *inputs):,}"),
        ]


class FourierPosition(Op):
    """Adds what tells places apart: a learned mixture of waves along height and width (XCiT).

    The waves span the whole map, whatever its size, so the network keeps working for other sizes.
    """

    autocast: ClassVar[Autocast] = "follow"  # what is added has the precision of a convolution
    kind: ClassVar[Kind] = "attention"
    word: ClassVar[str] = "fourier_position"
    example: ClassVar[str] = "fourier_position 32"
    arithmetic: ClassVar[str] = (
        "x + W * waves + b, waves: sines and cosines of row and column\n"
        "parameters: 2 * waves * C + C\n"
        "multiply-adds: 2 * waves * C * H * W"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "fourier_position": "PositionalEncodingFourier(hidden_dim>waves) PositionalEncoding "
        "PositionEmbeddingSine positional_encoding",
    }

    waves: int = count("sines and cosines along each axis: an even number", 32, example="32")
    temperature: float = number(
        "how much longer the longest wave is than the shortest", 10000.0, minimum=1
    )

    def check(self) -> None:
        if self.waves % 2:
            raise ArgumentError(
                f"{self.waves} waves are not half sines, half cosines", "write an even number"
            )

    def output(self, *inputs: Shape) -> Shape:
        return as_map(inputs[0], self.word)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels = inputs[0][0]
        return (
            Weight("projection.weight", (channels, 2 * self.waves, 1, 1)),
            Weight("projection.bias", (channels,)),
        )

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return 2 * self.waves * size(output)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """The bias and the sum, and the waves."""
        return 2 * size(output) + 2 * self.waves * output[1] * output[2]

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(once=2 * self.waves * output[1] * output[2])

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = constructor(
            "FourierPosition", output[0], self.waves, temperature=(self.temperature, 10000.0)
        )
        return TorchText(module, helper=FOURIER_POSITION)

    def work_out(self, element: Element) -> Worked:
        _, height, width = element.output
        own = element.term(element.channel, element.row, element.column)
        total = 0.0
        for wave in range(2 * self.waves):
            # First those of the row, then those of the column.
            at, side = element.row, height
            if wave >= self.waves:
                at, side = element.column, width
            index = wave % self.waves
            angle = (at + 1) / (side + 1e-6) * 2 * math.pi
            angle /= self.temperature ** (2 * (index // 2) / self.waves)
            value = math.cos(angle) if index % 2 else math.sin(angle)
            total += value * element.weight("projection.weight", (element.channel, wave, 0, 0))
        total += element.weight("projection.bias", (element.channel,))
        step = Step("with position", f"{figure(own.value)} + {figure(total)}", own.value + total)
        if total < 0:
            step = step._replace(text=f"{figure(own.value)} - {figure(-total)}")
        return element.computed("x + the projected waves of its place", "sum", own, step)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels = output[0]
        weights = 2 * self.waves * channels
        return [
            ("waves", f"{self.waves} along the height and {self.waves} along the width"),
            ("parameters", f"{channels}*2*{self.waves} + {channels} = {weights + channels:,}"),
            (
                "multiply-adds",
                f"{'*'.join(map(str, output))} * 2*{self.waves} = {self.macs(output):,}",
            ),
        ]


class MatMul(Op):
    """Matrix product of two maps, each read as a matrix of channels by places.

    It mixes places: `matmul { | from values | from weights }` gives each place of `weights` a sum
    of values, by its channels. With `transpose` each channel of the output is a place of the left
    map, and holds its similarity to the places of the right one.
    """

    autocast: ClassVar[Autocast] = "low"
    kind: ClassVar[Kind] = "attention"
    word: ClassVar[str] = "matmul"
    example: ClassVar[str] = "matmul transpose { | conv 8 3x3 stride=2 same | conv 8 }"
    arithmetic: ClassVar[str] = (
        "output[c, p] = sum of left[c, q] * right[q, p]: the left's channels, the right's places\n"
        "output[q, p] = sum of left[c, q] * right[c, p] with `transpose`\n"
        "multiply-adds: output elements * terms of a sum" + COUNTED
    )
    paths: ClassVar[tuple[str, ...]] = ("left", "right")
    needs_paths: ClassVar[bool] = True
    torch_calls: ClassVar[tuple[str, ...]] = ()

    transpose: bool = flag("exchange channels and places of the left map")

    def output(self, *inputs: Shape) -> Shape:
        left, right = (as_map(shape, self.word) for shape in inputs)
        places = left[1] * left[2]
        rows, terms = (places, left[0]) if self.transpose else (left[0], places)
        if right[0] != terms:
            what = "channels" if self.transpose else f"{left[1]}*{left[2]} = {places} places"
            raise ShapeError(
                f"the left map, {text(left)}, has {terms if self.transpose else what}"
                f"{' channels' if self.transpose else ''}, and the right one, {text(right)}, has"
                f" {right[0]} channels: they have to be the same number",
                f"end the right path with `conv {terms}`",
            )
        return rows, right[1], right[2]

    def _terms(self, left: Shape) -> int:
        return left[0] if self.transpose else left[1] * left[2]

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return size(output) * self._terms(inputs[0])

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0, 1))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        turned = ", transpose=True" if self.transpose else ""
        return TorchText(call=f"matmul({{0}}, {{1}}{turned})", helper=MATMUL)

    def work_out(self, element: Element) -> Worked:
        _, height, width = element.inputs[0]
        terms = []
        for n in range(self._terms(element.inputs[0])):
            factor = element.read(1, n, element.row, element.column)
            if self.transpose:
                place = element.channel // width, element.channel % width
                terms.append(element.term(n, place[0], place[1], factor))
            else:
                terms.append(element.term(element.channel, n // width, n % width, factor))
        over = "channels" if self.transpose else f"{height}x{width} places"
        return summed(element, [products("terms", terms)], None, f"sum of left*right over {over}")

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        terms = self._terms(inputs[0])
        numbers = "*".join(map(str, output))
        return [("multiply-adds", f"{numbers} * {terms} = {self.macs(output, *inputs):,}")]


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

    def forward(self, q: Tensor, k: Tensor | None = None, v: Tensor | None = None) -> Tensor:
        if k is None or v is None:
            q, k, v = self.apart(q)
        height, width = q.shape[2:]
        if self.part is not None:
            q, k, v = self.divided(q), self.divided(k, self.halo), self.divided(v, self.halo)
        places = q.shape[2:]
        q = q.flatten(2).unflatten(1, (self.heads, -1)).mT.contiguous()
        k = k.flatten(2).unflatten(1, (-1, q.shape[-1])).mT.contiguous()
        v = v.flatten(2).unflatten(1, (k.shape[1], -1)).mT.contiguous()
        k, v = k.expand(-1, self.heads, -1, -1), v.expand(-1, self.heads, -1, -1)
        scores = self.position(q)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=scores)
        y = y.mT.flatten(1, 2).unflatten(2, places)
        return y if self.part is None else self.together(y, height, width)

    def position(self, q: Tensor) -> Tensor | None:
        """What is added to the scores of queries and keys."""
        return None

    def apart(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values."""
        channels = x.shape[1] // self.heads
        key = channels // 3 if self.key is None else self.key
        sizes = key, key, channels - 2 * key
        if self.by_head:
            parts = x.unflatten(1, (self.heads, channels)).split(sizes, 2)
            q, k, v = (part.flatten(1, 2) for part in parts)
        else:
            q, k, v = x.split([self.heads * each for each in sizes], 1)
        return q, k, v

    def divided(self, x: Tensor, halo: int = 0) -> Tensor:
        """The map by its windows, which become images, or by its grids."""
        assert self.part is not None
        rows, columns = self.part
        if self.grid:
            x = x.unflatten(3, (columns, -1)).unflatten(2, (rows, -1))
            return x.permute(0, 3, 5, 1, 2, 4).flatten(0, 2)
        x = F.pad(x, (halo, halo, halo, halo)) if halo else x
        x = x.unfold(2, rows + 2 * halo, rows).unfold(3, columns + 2 * halo, columns)
        return x.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)

    def together(self, x: Tensor, height: int, width: int) -> Tensor:
        """The map of which these are the windows or grids."""
        assert self.part is not None
        x = x.unflatten(0, (-1, height // self.part[0], width // self.part[1]))
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
        bias = self.position_bias.mT.unflatten(1, (rows + down - 1, -1))
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
        q = q.unflatten(2, (rows, columns))
        across = self.by_key(q @ self.width_rel.mT)
        down = self.by_key((q @ self.height_rel.mT).transpose(2, 3)).transpose(2, 3)
        return (down[..., None] + across[..., None, :]).flatten(4).flatten(2, 3)

    def by_key(self, scores: Tensor) -> Tensor:
        """From the scores of each distance, those of each key: query i has its keys from distance
        K - 1 - i on, of 2K - 1."""
        queries, distances = scores.shape[-2:]
        keys = (distances + 1) // 2
        shifted = F.pad(F.pad(scores, (0, 1)).flatten(-2), (0, distances - queries))
        return shifted.unflatten(-1, (-1, distances))[..., :queries, keys - 1 :]
''')

CROSS_COVARIANCE = helper('''\
class CrossCovariance(nn.Module):
    """Each channel is a mean of those of its head, weighted by how alike they are."""

    def __init__(self, heads: int, by_head: bool = False) -> None:
        super().__init__()
        self.heads, self.by_head = heads, by_head
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))

    def forward(self, q: Tensor, k: Tensor | None = None, v: Tensor | None = None) -> Tensor:
        places = q.shape[2:]
        if k is None or v is None:
            shape = (self.heads, 3, -1) if self.by_head else (3, self.heads, -1)
            q, k, v = q.flatten(2).unflatten(1, shape).unbind(2 if self.by_head else 1)
        else:
            q, k, v = (x.flatten(2).unflatten(1, (self.heads, -1)) for x in (q, k, v))
        weights = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * self.temperature
        return (weights.softmax(-1) @ v).flatten(1, 2).unflatten(2, places)
''')

FOURIER_POSITION = helper('''\
class FourierPosition(nn.Module):
    """Adds a learned mixture of waves along height and width."""

    def __init__(self, channels: int, waves: int, temperature: float = 10000.0) -> None:
        super().__init__()
        self.waves = waves
        self.temperature = temperature
        self.projection = nn.Conv2d(2 * waves, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (self.along(side, x) for side in x.shape[2:])
        rows = rows.unsqueeze(2).expand(-1, -1, x.shape[3])
        columns = columns.unsqueeze(1).expand(-1, x.shape[2], -1)
        return x + self.projection(torch.cat([rows, columns]).unsqueeze(0))

    def along(self, side: int, x: Tensor) -> Tensor:
        """Sines and cosines in turn, of the places along an axis."""
        places = torch.arange(1, side + 1, device=x.device, dtype=torch.float32)
        angles = places / (side + 1e-6) * (2 * torch.pi)
        pairs = torch.arange(0, self.waves, 2, device=x.device) / self.waves
        angles = angles / self.temperature ** pairs.unsqueeze(1)
        waves = torch.stack([angles.sin(), angles.cos()], 1).flatten(0, 1)
        return waves.to(self.projection.weight.dtype)
''')

MATMUL = helper('''\
def matmul(left: Tensor, right: Tensor, transpose: bool = False) -> Tensor:
    """The product of two maps as matrices of channels by places."""
    matrix = left.flatten(2).mT if transpose else left.flatten(2)
    return (matrix @ right.flatten(2)).unflatten(2, right.shape[2:])
''')
