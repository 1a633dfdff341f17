"""Lambda layers, `lambda_layer`: what surrounds a place becomes a small matrix, and the queries of
the place are multiplied by it (LambdaNetworks).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import ClassVar, Literal, NamedTuple

from ...language.kinds import choice, count, pair
from ...language.signature import ArgumentError
from ...shapes import LAYOUTS, PerAxis, Shape, ShapeError, as_map, axes_of, by, size, text
from ..base import (
    ANY_AXES,
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
from ..worked import Element, Worked, products, summed
from .heads import COUNTED, softmax


class Division(NamedTuple):
    """How the channels and places of queries, keys and values are divided."""

    key: int
    """Channels of a query in each head, and of a key, which all heads share."""
    value: int
    """Channels of a value, which all heads share."""
    queries: PerAxis
    keys: PerAxis
    """The sizes of the maps: height and width."""


class LambdaLayer(Op):
    """Multiplies queries by a matrix of keys and values: no place is compared with another.

    Keys are a softmax over the places, so that each of their channels times the values is a
    weighted mean of the map. All heads share keys and values, and each query has a channel for each
    of these means. The input has the channels of all queries, of a key, and of a value; one
    convolution computes them, or a body does in paths of their own.

    Without positions all places are alike. `kernel=9` adds a convolution of the values, by which a
    query also reads what is around its place; `position=relative` adds a learned vector for each
    distance of two places, which knows the size of the map.
    """

    word: ClassVar[str] = "lambda_layer"
    gradient: ClassVar[str] = (
        "dquery = dy * (means + positions); dmeans = sum of query * dy over the places\n"
        "from the means through the softmax into keys and values; dpositions = query * dy"
    )
    called: ClassVar[str] = "timm LambdaLayer, lambda-networks LambdaLayer"
    example: ClassVar[str] = "conv 28, lambda_layer heads=4 key=4 kernel=9"
    arithmetic: ClassVar[str] = (
        "means[k, v] = sum over places of softmax(key k) * value v\n"
        "output: query * (means + positions of its place), head by head; heads * value channels\n"
        "positions: the values, convolved with `kernel`; or summed over all places with"
        " `position=relative`, weighted by the vector of the distance\n"
        "parameters: key * (kernel elements + 1) with `kernel`; a vector of key numbers for each"
        " distance with `position=relative`; otherwise none\n"
        "multiply-adds: places * key * value * (1 + heads), + places * key * value * (kernel"
        " elements + heads) with `kernel`, + places * key * value * (places + heads) with"
        " `position=relative`" + COUNTED
    )
    autocast: ClassVar[Autocast] = "low"
    kind: ClassVar[Kind] = "attention"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    paths: ClassVar[tuple[str, ...]] = ("queries", "keys", "values")

    heads: int = count("heads: queries of each place, which read the same matrix", 4, example="4")
    key: int = count("channels of a query in each head, and of the key, for one map", 16)
    kernel: PerAxis | None = pair(
        "size of the neighborhood whose positions count, odd", None, example="9"
    )
    position: str = choice("what else tells places apart", ("none", "relative"), "none")

    def check(self) -> None:
        if self.kernel is None:
            return
        if self.position != "none":
            raise ArgumentError(
                "`kernel` and `position=relative` are two ways to tell places apart", "keep one"
            )
        if not all(side % 2 for side in self.kernel):
            odd = by(tuple([side // 2 * 2 + 1 for side in self.kernel]))
            raise ArgumentError(f"a {by(self.kernel)} kernel has no middle", f"`kernel={odd}` has")

    # ---- sizes ----

    def divided(self, *inputs: Shape) -> Division:
        """How the channels are divided; raises ShapeError if they cannot be."""
        maps = [as_map(shape, self.word) for shape in inputs]
        if len(maps) == 1:
            channels, *sides = maps[0]
            value = channels - (self.heads + 1) * self.key
            if value < 1:
                raise ShapeError(
                    f"{channels} channels less {self.heads}*{self.key} of queries and {self.key} of"
                    " keys leave none for values",
                    f"`conv {channels - value + 16}` before it leaves 16",
                )
            return Division(self.key, value, tuple(sides), tuple(sides))
        (queries, *sides), (key, *key_sides), (value, *value_sides) = maps
        if key_sides != value_sides:
            raise ShapeError(
                f"there is a value for each key, but the keys are {text(tuple(key_sides))} and the"
                f" values {text(tuple(value_sides))}",
                "use the same strides in both paths",
            )
        if queries != self.heads * key:
            raise ShapeError(
                f"keys have {key} channels, so that {self.heads} heads have {self.heads * key}"
                f" channels of queries, not {queries}",
                f"end the path of the queries with `conv {self.heads * key}`",
            )
        if len(sides) != len(key_sides) or (self._tells_apart and sides != key_sides):
            need = "axes" if len(sides) != len(key_sides) else "places, to tell them apart"
            raise ShapeError(
                f"queries are {text(tuple(sides))} and keys {text(tuple(key_sides))}: they need the"
                f" same {need}",
                "use the same strides in all paths",
            )
        return Division(key, value, tuple(sides), tuple(key_sides))

    @property
    def _tells_apart(self) -> bool:
        return self.kernel is not None or self.position != "none"

    def output(self, *inputs: Shape) -> Shape:
        divided = self.divided(*inputs)
        if self.kernel is not None and len(self.kernel) != len(divided.keys):
            axes = len(divided.keys)
            raise ShapeError(
                f"a {by(self.kernel)} kernel is for {len(self.kernel)} axes, and the map is"
                f" {LAYOUTS[axes]}",
                f"give it {axes} sizes, or one for all",
            )
        return self.heads * divided.value, *divided.queries

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        key, _, _, keys = self.divided(*inputs)
        if self.kernel is not None:
            return (Weight("conv.weight", (key, 1, *self.kernel)), Weight("conv.bias", (key,)))
        if self.position == "relative":
            return (Weight("position", (*[2 * side - 1 for side in keys], key)),)
        return ()

    def _matrices(self, divided: Division) -> int:
        """The elements of the matrices of all places."""
        return size(divided.queries) * divided.key * divided.value

    def _far(self, divided: Division) -> int:
        """The number of values that an element of such a matrix is computed from."""
        if self.kernel is not None:
            return size(self.kernel)
        return size(divided.keys) if self.position == "relative" else 0

    def macs(self, output: Shape, *inputs: Shape) -> int:
        divided = self.divided(*inputs)
        every = self._matrices(divided)
        means = size(divided.keys) * divided.key * divided.value
        local = every * (self._far(divided) + self.heads) if self._tells_apart else 0
        return means + every * self.heads + local

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """The softmax of keys; the bias of the convolution; both products are added."""
        divided = self.divided(*inputs)
        bias = self._matrices(divided) if self.kernel is not None else 0
        both = size(output) if self._tells_apart else 0
        return 2 * divided.key * size(divided.keys) + bias + both

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        return EVERYTHING

    def holds_size(self, *inputs: Shape) -> tuple[str, str]:
        if self.position == "none":
            return "", ""
        return (
            "`position=relative` has weights for the distances in a map of"
            f" {by(self.divided(*inputs).queries)}",
            "`kernel=9` has those of a neighborhood",
        )

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        divided, several = self.divided(*inputs), len(inputs) > 1
        keys = size(divided.keys)
        # Queries by place, keys after their softmax, and the values, if they are a part of a map.
        own = self.heads * divided.key * size(divided.queries)
        own += (divided.key + (0 if several else divided.value)) * keys
        own += divided.key * divided.value
        own += self._matrices(divided) if self._tells_apart else 0
        relative = divided.key * keys * keys if self.position == "relative" else 0
        return Kept(inputs=(2,) if several else (), own=own, once=relative)

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        divided, axes = self.divided(*inputs), axes_of(output)
        if self.kernel is not None:
            name = f"ConvolvedLambda{axes}d"
            module = constructor(name, self.heads, divided.key, tuple(self.kernel))
            own = CONVOLVED_LAMBDA[axes]
        elif self.position == "relative":
            module = constructor("RelativeLambda", self.heads, divided.key, divided.keys)
            own = RELATIVE_LAMBDA
        else:
            module, own = constructor("LambdaLayer", self.heads, divided.key), ""
        read = ", ".join(f"{{{n}}}" for n in range(len(inputs)))
        return TorchText(module, f"{{m}}({read})", "\n\n".join(filter(None, (LAMBDA_LAYER, own))))

    # ---- explanations ----

    def work_out(self, element: Element) -> Worked:
        divided = self.divided(*element.inputs)
        head, own = divmod(element.channel, divided.value)
        several = len(element.inputs) > 1
        first = self.heads * divided.key  # of the channels of the key, in one map
        places = list(product(*map(range, divided.keys)))
        query = [
            element.read(0, head * divided.key + n, *element.position) for n in range(divided.key)
        ]
        means = []
        for n in range(divided.key):
            channel = n if several else first + n
            means.append(softmax([element.read(int(several), channel, *p) for p in places]))
        factors = []
        for at, place in enumerate(places):
            positions = self._positions(element, divided, place)
            each = zip(query, means, positions, strict=True)
            factors.append(sum([q * (mean[at] + position) for q, mean, position in each]))
        channel = own if several else first + divided.key + own
        terms = [
            element.term(channel, place, factor, input=2 if several else 0)
            for place, factor in zip(places, factors, strict=True)
        ]
        bias = None
        if self.kernel is not None:
            bias = sum(q * element.weight("conv.bias", (n,)) for n, q in enumerate(query))
        rule = f"sum of value*weight over {len(places)} places, weights: query * softmax of key"
        rule += " over the places, + query * position" if self._tells_apart else " over the places"
        return summed(element, [products(f"head {head}", terms)], bias, rule)

    def _positions(self, element: Element, divided: Division, key: PerAxis) -> list[float]:
        """What the distance of a key from the place of the query adds, by channel of a query."""
        channels = range(divided.key)
        if self.kernel is not None:
            at = self._away(element, key, [side // 2 for side in self.kernel])
            if all(0 <= n < side for n, side in zip(at, self.kernel, strict=True)):
                return [element.weight("conv.weight", (n, 0, *at)) for n in channels]
        elif self.position == "relative":
            at = self._away(element, key, [side - 1 for side in divided.keys])
            return [element.weight("position", (*at, n)) for n in channels]
        return [0.0] * divided.key

    @staticmethod
    def _away(element: Element, key: PerAxis, middle: Sequence[int]) -> PerAxis:
        """How far a key is from the place of the query, counted from the farthest before it."""
        each = zip(key, element.position, middle, strict=True)
        return tuple([there - here + half for there, here, half in each])

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        divided = self.divided(*inputs)
        key, value, places, keys = divided
        lines = [
            ("heads", f"{self.heads}, each with queries of {key} channels"),
            (
                "matrix",
                f"{key}x{value}: {key} weighted means over {by(keys)} places, of {value} values"
                f" each, for all {self.heads} heads",
            ),
        ]
        weights = self.weights(*inputs)
        if weights:
            total = sum(size(weight.shape) for weight in weights)
            shapes = " + ".join(text(weight.shape) for weight in weights)
            around = f"in a neighborhood of {by(self.kernel)}" if self.kernel else "in all the map"
            lines.append(("positions", f"a further matrix for each place, from values {around}"))
            lines.append(("parameters", f"{shapes} = {total:,}"))
        each = f"{'*'.join(map(str, places))}*{key}*{value}"
        if places == keys:
            terms = f"1 + {self.heads}"
            terms += f" + {self._far(divided)} + {self.heads}" if self._tells_apart else ""
            macs = f"{each} * ({terms})"
        else:
            macs = f"{'*'.join(map(str, keys))}*{key}*{value} + {each} * {self.heads}"
        return [*lines, ("multiply-adds", f"{macs} = {self.macs(output, *inputs):,}")]


LAMBDA_LAYER = helper('''\
class LambdaLayer(nn.Module):
    """Multiplies the queries of each place by weighted means of all values."""

    def __init__(self, heads: int, key: int) -> None:
        super().__init__()
        self.heads, self.key = heads, key

    def forward(
        self,
        q: Tensor,
        k: Tensor | None = None,
        v: Tensor | None = None,
    ) -> Tensor:
        if k is None or v is None:
            queries = self.heads * self.key
            sizes = [queries, self.key, q.shape[1] - queries - self.key]
            q, k, v = torch.split(q, sizes, 1)
        places, v = q.shape[2:], v.contiguous()
        q = torch.unflatten(q.flatten(2), 1, (self.heads, self.key))
        q = q.permute(0, 3, 1, 2).contiguous()
        means = k.flatten(2).softmax(2) @ v.flatten(2).mT
        y = torch.unflatten(q.flatten(1, 2) @ means, 1, (-1, self.heads))
        local = self.positions(v)
        if local is not None:
            y = y + q @ local
        return torch.unflatten(y.permute(0, 2, 3, 1).flatten(1, 2), 2, places)

    def positions(self, v: Tensor) -> Tensor | None:
        """A matrix for each place, by which it differs from the others."""
        return None
''')

CONVOLVED_LAMBDA = {
    axes: helper(f'''\
class ConvolvedLambda{axes}d(LambdaLayer):
    """A lambda layer whose places have matrices of their own, by a convolution of the values."""

    def __init__(self, heads: int, key: int, kernel: tuple[{", ".join(["int"] * axes)}]) -> None:
        super().__init__(heads, key)
        self.conv = nn.Conv{axes}d(1, key, kernel, padding="same")
        nn.init.trunc_normal_(self.conv.weight, std=key**-0.5)

    def positions(self, v: Tensor) -> Tensor:
        y = self.conv(v.flatten(0, 1).unsqueeze(1)).flatten(2)
        return torch.unflatten(y, 0, (-1, v.shape[1])).permute(0, 3, 2, 1)
''')
    for axes in (1, 2, 3)
}

RELATIVE_LAMBDA = helper('''\
class RelativeLambda(LambdaLayer):
    """A lambda layer whose places have matrices of their own, by learned vectors for distances."""

    def __init__(self, heads: int, key: int, size: tuple[int, ...]) -> None:
        super().__init__(heads, key)
        self.size = size
        self.position = nn.Parameter(torch.empty(*[2 * side - 1 for side in size], key))
        nn.init.trunc_normal_(self.position, std=0.02)

    def positions(self, v: Tensor) -> Tensor:
        vectors: Tensor = self.position
        axes = len(self.size)
        # Of a place the distances to all others; the last place has the first.
        for axis, side in enumerate(self.size):
            vectors = vectors.unfold(axis, side, 1)
        vectors = vectors.flip(list(range(axes))).flatten(1 + axes).flatten(0, axes)
        y = vectors @ v.flatten(2).mT
        return torch.unflatten(y, 1, (-1, self.key))
''')
