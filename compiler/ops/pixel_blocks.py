"""Layers that move pixels between the map and the channels: space_to_depth, depth_to_space,
pixel_unshuffle, pixel_shuffle. Of a series they move steps, of a volume voxels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..language.kinds import whole
from ..shapes import (
    AXES,
    LINES,
    POINTS,
    PerAxis,
    Shape,
    ShapeError,
    as_map,
    axes_of,
    by,
    exact_ratio,
)
from .base import TorchText, Window, call_text, constructor, helper
from .shape import Rearranging
from .worked import Element, Worked

MOST = 64
"""The largest block: its square is the factor of the channels."""


class Blocks(Rearranging):
    """Moves blocks of pixels to channels, or back."""

    blocks_first: ClassVar[bool] = False
    """The order of the channels: those of a position in the block together, or (as in PixelShuffle)
    those of an original channel."""

    block: int

    def channel_of(self, channel: int, inside: PerAxis, channels: int) -> int:
        """The channel of a pixel of a block, in the map of many channels."""
        place = 0
        for at in inside:
            place = place * self.block + at
        if self.blocks_first:
            return place * channels + channel
        return channel * int(self.block ** len(inside)) + place

    def size_of(self, axes: int) -> str:
        """`2x2`."""
        return by((self.block,) * axes)


class ToChannels(Blocks):
    """Blocks of pixels become channels: nothing is lost."""

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], self.word)
        for side, name in zip(sides, LINES[len(sides)], strict=True):
            if side % self.block:
                raise ShapeError(
                    f"{side} {name} cannot be divided into blocks of {self.block}",
                    f"a size of {-(-side // self.block) * self.block} could be: `pad` or `crop`"
                    " before it",
                )
        return channels * self.block ** len(sides), *(side // self.block for side in sides)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        axes = axes_of(output)
        return Window((self.block,) * axes, (self.block,) * axes, (0,) * axes)

    def work_out(self, element: Element) -> Worked:
        channels, axes = element.inputs[0][0], len(element.position)
        if self.blocks_first:
            place, channel = divmod(element.channel, channels)
        else:
            channel, place = divmod(element.channel, self.block**axes)
        inside: list[int] = []  # the last axis first
        for _ in range(axes):
            place, own = divmod(place, self.block)
            inside.append(own)
        places = zip(element.position, inside[::-1], strict=True)
        return element.copied(channel, tuple([at * self.block + own for at, own in places]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels, *sides = inputs[0]
        factors = f"*{self.block}" * len(sides)
        each = zip(AXES[len(sides)], sides, output[1:], strict=True)
        return [
            ("channels", f"{channels}{factors} = {output[0]}"),
            *((name, f"{side}/{self.block} = {total}") for name, side, total in each),
        ]


class ToPixels(Blocks):
    """Channels become blocks of pixels."""

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], self.word)
        each = self.block ** len(sides)
        if channels % each:
            equals = f"{self.size_of(len(sides))} = {each}" if len(sides) > 1 else f"{each}"
            raise ShapeError(
                f"{channels} input channels cannot be divided into {equals}"
                f" {POINTS[len(sides)]} each",
                f"{-(-channels // each) * each} channels would fit",
            )
        return channels // each, *(side * self.block for side in sides)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        axes = axes_of(output)
        return Window((1,) * axes, (exact_ratio(1, self.block),) * axes, (0,) * axes)

    def work_out(self, element: Element) -> Worked:
        places = [divmod(at, self.block) for at in element.position]
        inside = tuple([own for _, own in places])
        channel = self.channel_of(element.channel, inside, element.output[0])
        return element.copied(channel, tuple([at for at, _ in places]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels, *sides = inputs[0]
        factors = "*".join([str(self.block)] * len(sides))
        each = zip(AXES[len(sides)], sides, output[1:], strict=True)
        return [
            ("channels", f"{channels}/({factors}) = {output[0]}"),
            *((name, f"{side}*{self.block} = {total}") for name, side, total in each),
        ]


BLOCK = whole("size of the blocks along each axis", minimum=1, maximum=MOST, example="2")


class PixelUnshuffle(ToChannels):
    """Turns blocks of pixels into channels: those of a channel stay together, as in PyTorch.

    `space_to_depth` has another order of the channels.
    """

    word: ClassVar[str] = "pixel_unshuffle"
    gradient: ClassVar[str] = "dx = dy, each number at its old place"
    example: ClassVar[str] = "pixel_unshuffle 2"
    arithmetic: ClassVar[str] = (
        "output: C * block * block channels, H / block, W / block\n"
        "pixel (i, j) of a block of channel c becomes channel c * block * block + i * block + j"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pixel_unshuffle": "PixelUnshuffle(downscale_factor>block) PixelUnShuffle pixelunshuffle",
    }

    block: int = BLOCK

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        if axes == 2:
            return TorchText(constructor("nn.PixelUnshuffle", self.block))
        call = call_text(f"pixel_unshuffle{axes}d({{0}}, {{block}})", block=self.block)
        return TorchText(call=call, helper=PIXEL_UNSHUFFLE[axes])


class PixelShuffle(ToPixels):
    """Turns channels into blocks of pixels: sub-pixel convolution (ESPCN, arXiv:1609.05158).

    A convolution before it makes block * block channels for each of its output channels.
    """

    word: ClassVar[str] = "pixel_shuffle"
    gradient: ClassVar[str] = "dx = dy, each number at its old place"
    example: ClassVar[str] = "pixel_shuffle 2"
    arithmetic: ClassVar[str] = (
        "output: C / (block * block) channels, H * block, W * block\n"
        "channel c * block * block + i * block + j becomes pixel (i, j) of a block of channel c"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pixel_shuffle": "PixelShuffle(upscale_factor>block) subpixel sub_pixel SubPixel "
        "SubpixelConv2d pixelshuffle PixelShuffle2d PixelShuffle_ICNR",
    }

    block: int = BLOCK

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        if axes == 2:
            return TorchText(constructor("nn.PixelShuffle", self.block))
        call = call_text(f"pixel_shuffle{axes}d({{0}}, {{block}})", block=self.block)
        return TorchText(call=call, helper=PIXEL_SHUFFLE[axes])


class SpaceToDepth(ToChannels):
    """Turns blocks of pixels into channels: those of a pixel stay together, as in TensorFlow.

    TResNet begins with it. `pixel_unshuffle` has another order of the channels.
    """

    word: ClassVar[str] = "space_to_depth"
    gradient: ClassVar[str] = "dx = dy, each number at its old place"
    example: ClassVar[str] = "space_to_depth 2"
    arithmetic: ClassVar[str] = (
        "output: C * block * block channels, H / block, W / block\n"
        "pixel (i, j) of a block of channel c becomes channel (i * block + j) * C + c"
    )
    called: ClassVar[str] = "TensorFlow SpaceToDepth"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "space_to_depth": "SpaceToDepth(block_size>block) Space2Depth space2depth "
        "SpaceToDepthModule",
    }
    blocks_first: ClassVar[bool] = True

    block: int = BLOCK

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        call = call_text(f"space_to_depth{SUFFIX[axes]}({{0}}, {{block}})", block=self.block)
        return TorchText(call=call, helper=SPACE_TO_DEPTH[axes])


class DepthToSpace(ToPixels):
    """Turns channels into blocks of pixels: the inverse of `space_to_depth`, as in TensorFlow.

    `pixel_shuffle` has another order of the channels.
    """

    word: ClassVar[str] = "depth_to_space"
    gradient: ClassVar[str] = "dx = dy, each number at its old place"
    example: ClassVar[str] = "depth_to_space 2"
    arithmetic: ClassVar[str] = (
        "output: C / (block * block) channels, H * block, W * block\n"
        "channel (i * block + j) * C / (block * block) + c becomes pixel (i, j) of a block of"
        " channel c"
    )
    called: ClassVar[str] = "TensorFlow DepthToSpace"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "depth_to_space": "DepthToSpace(block_size>block,blocksize>block) Depth2Space depth2space",
    }
    blocks_first: ClassVar[bool] = True

    block: int = BLOCK

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        call = call_text(f"depth_to_space{SUFFIX[axes]}({{0}}, {{block}})", block=self.block)
        return TorchText(call=call, helper=DEPTH_TO_SPACE[axes])


SUFFIX = {1: "1d", 2: "", 3: "3d"}

# Torch has these for maps.
PIXEL_UNSHUFFLE = {
    1: helper('''\
def pixel_unshuffle1d(x: Tensor, block: int) -> Tensor:
    """Turns blocks of steps into channels, all steps of a channel together."""
    return torch.unflatten(x, 2, (-1, block)).transpose(2, 3).flatten(1, 2)
'''),
    3: helper('''\
def pixel_unshuffle3d(x: Tensor, block: int) -> Tensor:
    """Turns blocks of voxels into channels, all voxels of a channel together."""
    for axis in (4, 3, 2):
        x = torch.unflatten(x, axis, (-1, block))
    return x.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)
'''),
}

PIXEL_SHUFFLE = {
    1: helper('''\
def pixel_shuffle1d(x: Tensor, block: int) -> Tensor:
    """Turns channels into blocks of steps: the inverse of `pixel_unshuffle`."""
    return torch.unflatten(x, 1, (-1, block)).transpose(2, 3).flatten(2)
'''),
    3: helper('''\
def pixel_shuffle3d(x: Tensor, block: int) -> Tensor:
    """Turns channels into blocks of voxels: the inverse of `pixel_unshuffle`."""
    sides = [block * side for side in x.shape[2:]]
    x = torch.unflatten(x, 1, (-1, block, block, block))
    return x.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(x.shape[0], -1, *sides)
'''),
}

SPACE_TO_DEPTH = {
    1: helper('''\
def space_to_depth1d(x: Tensor, block: int) -> Tensor:
    """Turns blocks of steps into channels, all channels of a step together."""
    return torch.cat([x[:, :, i::block] for i in range(block)], 1)
'''),
    2: helper('''\
def space_to_depth(x: Tensor, block: int) -> Tensor:
    """Turns blocks of pixels into channels, all channels of a pixel together."""
    n = range(block)
    return torch.cat([x[:, :, i::block, j::block] for i in n for j in n], 1)
'''),
    3: helper('''\
def space_to_depth3d(x: Tensor, block: int) -> Tensor:
    """Turns blocks of voxels into channels, all channels of a voxel together."""
    n = range(block)
    rows = [x[:, :, i::block, j::block] for i in n for j in n]
    return torch.cat([row[..., k::block] for row in rows for k in n], 1)
'''),
}

_DEPTH_TO_SPACE = '''\
def depth_to_space{suffix}(x: Tensor, block: int) -> Tensor:
    """Turns channels into blocks of {points}: the inverse of `space_to_depth`."""
    {points} = torch.unflatten(x, 1, ({each}, -1)).transpose(1, 2)
    return {shuffle}({points}.flatten(1, 2), block)
'''
DEPTH_TO_SPACE = {
    axes: (PIXEL_SHUFFLE[axes] + "\n\n" if axes != 2 else "")
    + helper(
        _DEPTH_TO_SPACE.format(
            suffix=SUFFIX[axes],
            points=POINTS[axes],
            each=" * ".join(["block"] * axes),
            shuffle="F.pixel_shuffle" if axes == 2 else f"pixel_shuffle{axes}d",
        )
    )
    for axes in (1, 2, 3)
}
