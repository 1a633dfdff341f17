"""Attention over the channels of a map: cross_covariance."""

from __future__ import annotations

import math
from itertools import product
from typing import ClassVar, Literal

from ...language.kinds import count, flag
from ...shapes import Shape, ShapeError, size
from ..base import EVERYTHING, Kept, TorchText, Weight, Window, constructor, helper
from ..worked import Element, Worked, products, summed
from .heads import COUNTED, Heads, OverMaps, softmax


class CrossCovariance(OverMaps):
    """Attention over channels: each is a mean of the channels of its head (XCiT, EdgeNeXt).

    The input has the channels of queries, keys and values, or a body computes them in three paths,
    as for `attention`. Queries and keys are normalized to length 1 over the places, and a learned
    temperature scales their products. It costs as much for each place, whatever the map's size.
    """

    word: ClassVar[str] = "cross_covariance"
    gradient: ClassVar[str] = (
        "as `attention`, over channels; queries and keys are divided by their lengths,\n"
        "so what lies along them is subtracted: dq = (du - u * sum of du*u) / length"
    )
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
        places = list(product(*map(range, element.output[1:])))

        def normalized(number: int, channel: int) -> list[float]:
            values = [element.read(number, channel, *place) for place in places]
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
            terms.append(element.term(channel, element.position, weight, input=number))
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


CROSS_COVARIANCE = helper('''\
class CrossCovariance(nn.Module):
    """Each channel is a mean of those of its head, weighted by how alike they are."""

    def __init__(self, heads: int, by_head: bool = False) -> None:
        super().__init__()
        self.heads, self.by_head = heads, by_head
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))

    def forward(
        self,
        q: Tensor,
        k: Tensor | None = None,
        v: Tensor | None = None,
    ) -> Tensor:
        places = q.shape[2:]
        if k is None or v is None:
            shape = (self.heads, 3, -1) if self.by_head else (3, self.heads, -1)
            maps = torch.unflatten(q.flatten(2), 1, shape)
            q, k, v = maps.unbind(2 if self.by_head else 1)
        else:
            heads = (self.heads, -1)
            q, k, v = (torch.unflatten(x.flatten(2), 1, heads) for x in (q, k, v))
        weights = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * self.temperature
        y = weights.softmax(-1) @ v
        return torch.unflatten(y.flatten(1, 2), 2, places)
''')
