"""The input of a network, and the operations that merge or split paths: add, concat, mul, chunk."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import ClassVar

from ..language.kinds import count, custom, natural
from ..shapes import Shape, ShapeError, axes_of, by, size, text
from .base import ANY_AXES, Kept, Kind, NoMultiplyAdds, TorchText, call_text
from .shape import TO, read_shape
from .shortcut import stride_between
from .worked import Element, Group, Term, Worked, largest


class Input(NoMultiplyAdds):
    """The input of the network: channels x height x width of an image.

    Of a series channels x length (`input 1x16000`), of a scan or a video channels x depth x height
    x width (`input 3x16x112x112`), of plain numbers how many there are (`input 784`).
    """

    word: ClassVar[str] = "input"
    example: ClassVar[str] = "input 3x224x224"
    arithmetic: ClassVar[str] = "output: the shape given: channels x height x width"
    kind: ClassVar[Kind] = "input"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    shape: Shape = custom("channels x height x width", read_shape, TO)

    def output(self, *inputs: Shape) -> Shape:
        return self.shape

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        """Nothing is computed: it is the argument of `forward`."""
        return TorchText(call="")

    def work_out(self, element: Element) -> Worked:
        """Nothing is computed: the value is that of the image."""
        value = element.actual
        if value is None:
            value = element.here().value
        return element.constant(value, "a value of the input")

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        if len(output) == 1:
            return []
        return [("numbers", f"{'*'.join(map(str, output))} = {size(output):,} for each image")]


# ---- together ---------------------------------------------------------------------------------


class Merge(NoMultiplyAdds):
    """Merges two or more paths."""

    kind: ClassVar[Kind] = "merge"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    done: ClassVar[str] = ""
    """The participle for messages: these paths cannot be `added`."""

    def output(self, *inputs: Shape) -> Shape:
        if len(inputs) < 2:
            count = "only one" if inputs else "none"
            raise ShapeError(
                f"`{self.word}` merges two or more paths, and there is {count}",
                "write another path",
            )
        output = self.merged(*inputs)
        if output is None:
            listed = _listed(inputs)
            raise ShapeError(f"these paths cannot be {self.done}: {listed}", mend(inputs, self))
        return output

    def merged(self, *inputs: Shape) -> Shape | None:
        """The output shape; None if the paths do not fit together."""
        return _equal(*inputs)

    def refuse_different(self, *inputs: Shape) -> None:
        """Raises ShapeError if the shapes differ, also where one could be broadcast."""
        if _equal(*inputs) is None:
            listed = _listed(inputs)
            help = mend(inputs, self, _equal)
            raise ShapeError(f"these paths cannot be {self.done}: {listed}", help)

    def arriving(self, element: Element) -> list[Term]:
        """The element of each path at the same position; what is broadcast has one position."""
        terms = []
        for index, shape in enumerate(element.inputs):
            place = element.channel, *element.position
            sides = (*shape, *(1,) * (len(place) - len(shape)))
            channel, *position = (
                n if side > 1 else 0 for n, side in zip(place, sides, strict=True)
            )
            at = tuple(position) if len(shape) > 1 else (0, 0)
            terms.append(element.term(channel, at, input=index))
        return terms

    def together(self, element: Element, rule: str, group: Group) -> Worked:
        return Worked(element.at, rule, group.result, (group,))

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One operation for each element and each path after the first."""
        return (len(inputs) - 1) * size(output)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        numbers = "*".join(map(str, output))
        operations = self.elementwise(output, *inputs)
        how = f"{numbers} numbers * {len(inputs) - 1} = {operations:,}"
        return [("operations", how)]


class Broadcast(Merge):
    """Merges paths element by element; one number per channel, or one per position, is broadcast
    over the map."""

    def merged(self, *inputs: Shape) -> Shape | None:
        if inputs[1:] == inputs[:-1]:
            return inputs[0]
        axes = len(max(inputs, key=len))
        spread = [_spread(shape, axes) for shape in inputs]
        output = tuple(max(sides) for sides in zip(*spread, strict=True))
        fits = all(n in (1, most) for s in spread for n, most in zip(s, output, strict=True))
        return output if fits else None

    def _results(self, *inputs: Shape) -> list[int]:
        """The number of elements after each operation."""
        firsts = [self.merged(*inputs[: n + 1]) for n in range(1, len(inputs))]
        return [size(shape) for shape in firsts if shape is not None]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One operation for each element of each result, intermediate ones included."""
        return sum(self._results(*inputs))

    def joined(self, sign: str, output: Shape, inputs: tuple[Shape, ...]) -> str:
        """The text of it. A vector merged with maps is one number for each channel."""
        spread = f"[..., {', '.join(['None'] * axes_of(output))}]"
        each = [spread if len(s) < len(output) else "" for s in inputs]
        return f" {sign} ".join(f"{{{n}}}{text}" for n, text in enumerate(each))


class Add(Broadcast):
    """Sum of paths; one number per channel, or one per position, is broadcast over the map."""

    word: ClassVar[str] = "add"
    example: ClassVar[str] = "a: conv 16 1x1, b: conv 16 3x3 same, add a b"
    arithmetic: ClassVar[str] = "output: the sum of the paths, of their shape"
    done: ClassVar[str] = "added"
    torch_calls: ClassVar[tuple[str, ...]] = ("add_",)
    in_place: ClassVar[bool] = True

    def work_out(self, element: Element) -> Worked:
        terms = tuple(self.arriving(element))
        group = Group("paths", terms, "sum", sum(term.value for term in terms))
        return self.together(element, "the sum of the paths", group)._replace(additive=True)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.inplace and len({*inputs}) == 1:
            others = "".join(f".add_({{{number}}})" for number in range(1, len(inputs)))
            return TorchText(call=f"{{0}}{others}")
        return TorchText(call=self.joined("+", output, inputs))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        if len({*inputs}) == 1:
            return super().explain(output, *inputs)
        return [("operations", _sum_of(self._results(*inputs), "sum"))]


class Maximum(Merge):
    """The elementwise maximum of paths (maxout)."""

    word: ClassVar[str] = "maximum"
    example: ClassVar[str] = "maximum { | conv 16 1x1 | conv 16 3x3 same }"
    arithmetic: ClassVar[str] = "output: the elementwise maximum of the paths, of their shape"
    done: ClassVar[str] = "compared"
    torch_calls: ClassVar[tuple[str, ...]] = ("torch.maximum",)

    def work_out(self, element: Element) -> Worked:
        terms = tuple(self.arriving(element))
        result = largest(term.value for term in terms)
        group = Group("paths", terms, "max", result, around="max({})", between=", ")
        return self.together(element, "the maximum of the paths", group)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # The backward pass compares both sides again, so intermediate results are kept, too.
        return Kept(inputs=tuple(range(len(inputs))), own=(len(inputs) - 2) * size(output))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        call = "{0}"
        for index in range(1, len(inputs)):
            call = f"torch.maximum({call}, {{{index}}})"
        return TorchText(call=call)


class Mul(Broadcast):
    """Product of paths; one number per channel, or one per position, is broadcast over the map."""

    word: ClassVar[str] = "mul"
    example: ClassVar[str] = "a: conv 16 1x1, b: conv 16 3x3 same, mul a b"
    arithmetic: ClassVar[str] = "output: the product of the paths, of their shape"
    done: ClassVar[str] = "multiplied"
    scales: ClassVar[bool] = True

    def work_out(self, element: Element) -> Worked:
        terms = tuple(self.arriving(element))
        result = prod(term.value for term in terms)
        group = Group("paths", terms, "product", result, between="*")
        return self.together(element, "the product of the paths", group)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=tuple(range(len(inputs))), own=sum(self._results(*inputs)[:-1]))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call=self.joined("*", output, inputs))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [("operations", _sum_of(self._results(*inputs), "product"))]


class Concat(Merge):
    """Paths side by side, by channels."""

    word: ClassVar[str] = "concat"
    example: ClassVar[str] = "a: conv 16 1x1, b: conv 8 3x3 same, concat a b"
    arithmetic: ClassVar[str] = "output: the channels of all paths, one path after the other"
    done: ClassVar[str] = "concatenated"
    torch_calls: ClassVar[tuple[str, ...]] = ("torch.cat",)

    def merged(self, *inputs: Shape) -> Shape | None:
        if len({shape[1:] for shape in inputs}) > 1:
            return None
        return sum(shape[0] for shape in inputs), *inputs[0][1:]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Nothing is computed."""
        return 0

    def work_out(self, element: Element) -> Worked:
        channel = element.channel
        path = 0
        while channel >= element.inputs[path][0]:
            channel -= element.inputs[path][0]
            path += 1
        return element.copied(channel, element.position, input=path)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call=f"torch.cat([{_joined(', ', inputs)}], 1)")

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        parts = " + ".join(str(shape[0]) for shape in inputs)
        return [("channels" if len(output) > 1 else "numbers", f"{parts} = {output[0]}")]


def _sum_of(counts: list[int], each: str) -> str:
    line = " + ".join(f"{count:,}" for count in counts)
    if len(counts) > 1:
        line += f" = {sum(counts):,}"
    return f"{line}: one for each {each}"


def _joined(between: str, inputs: tuple[Shape, ...]) -> str:
    return between.join(f"{{{number}}}" for number in range(len(inputs)))


def _listed(shapes: tuple[Shape, ...]) -> str:
    """`64x56x56, 64x28x28 and 32x28x28`; of what arrives several times, one."""
    different = [text(shape) for shape in dict.fromkeys(shapes)]
    return ", ".join(different[:-1]) + " and " + different[-1]


def _spread(shape: Shape, axes: int) -> Shape:
    """A vector, broadcast over maps: one number for each channel."""
    return shape + (1,) * (axes - len(shape)) if len(shape) == 1 else shape


def _equal(*inputs: Shape) -> Shape | None:
    return inputs[0] if len(set(inputs)) == 1 else None


def mend(
    inputs: tuple[Shape, ...], op: Merge, merged: Callable[..., Shape | None] | None = None
) -> str:
    """A suggestion that makes the paths fit together, if there is one; `merged`: how they do."""
    merged = merged or op.merged
    first, other = next((a, b) for a in inputs for b in inputs if merged(a, b) is None)
    if len(first) != len(other):
        vector = text(min(first, other, key=len))
        return f"write `flatten` at the end of the map's path, or keep {vector} a map"
    if merged((1, *first[1:]), (1, *other[1:])) is None:
        large, small = sorted((first, other), key=lambda shape: shape[1:], reverse=True)
        if size(small[1:]) == 1:  # pooled globally: no stride is meant to do that
            spread = f"end the path of {text(small)} with `upsample to={text(large[1:])}`"
            weighed = ", or multiply the other by it: `mul`, `gate`" * (op.done == "added")
            return spread + weighed
        if _whole_stride(large, small):
            strides = tuple(a // b for a, b in zip(large[1:], small[1:], strict=True))
            stride = str(strides[0]) if len({*strides}) == 1 else by(strides)
            return f"`stride={stride}` in the path of {text(large)} makes it {text(small[1:])}"
        return "use the same strides and padding in each path"
    if len(first) == 1:
        return f"end one path with `fc {first[0]}`"
    return f"end the path of {other[0]} channels with `conv {first[0]}`, a 1x1 convolution"


def _whole_stride(large: Shape, small: Shape) -> bool:
    try:
        return all(
            stride_between(a, b) == a // b for a, b in zip(large[1:], small[1:], strict=True)
        )
    except ShapeError:
        return False


# ---- apart ------------------------------------------------------------------------------------


def _read_sizes(value: object) -> tuple[int, ...]:
    assert isinstance(value, tuple)
    return value


class Chunk(NoMultiplyAdds):
    """One part of the channels, which `split` divides among its paths."""

    kind: ClassVar[Kind] = "shape"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    torch_calls: ClassVar[tuple[str, ...]] = ("chunk", "torch.split")

    index: int = natural("which part, from 0")
    count: int = count("how many parts")
    sizes: tuple[int, ...] | None = custom(
        "the channels of each part, if parts differ in size", _read_sizes, "numbers", None
    )

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = inputs[0]
        if self.sizes is not None:
            return self.sizes[self.index], *sides
        if channels % self.count:
            raise ShapeError(
                f"{channels} input channels cannot be divided among {self.count} paths",
                f"use {-(-channels // self.count) * self.count} channels before it, or another "
                "number of paths; paths of different widths are written `split 1"
                f" {channels - 1} {{ | … | … }}`",
            )
        return channels // self.count, *sides

    @property
    def shares_storage(self) -> bool:
        return True

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.sizes is not None:
            sizes = {f"size{number}": part for number, part in enumerate(self.sizes)}
            listed = ", ".join(f"{{{name}}}" for name in sizes)
            pattern = f"torch.split({{0}}, [{listed}], 1)[{self.index}]"
            return TorchText(call=call_text(pattern, **sizes))
        return TorchText(call=f"{{0}}.chunk({self.count}, 1)[{self.index}]")

    def work_out(self, element: Element) -> Worked:
        before = self.index * element.output[0]
        if self.sizes is not None:
            before = sum(self.sizes[: self.index])
        channel = before + element.channel
        return element.copied(channel, element.position)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        if self.sizes is not None:
            first = sum(self.sizes[: self.index])
            last = first + output[0] - 1
            return [("channels", f"{first} to {last} of {inputs[0][0]}: {output[0]}")]
        return [("channels", f"{inputs[0][0]}/{self.count} = {output[0]}")]
