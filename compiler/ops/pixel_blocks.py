"""Layers that move pixels between the map and the channels: space_to_depth, depth_to_space,
pixel_unshuffle, pixel_shuffle."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

from ..language.kinds import whole
from ..shapes import Shape, ShapeError, as_map
from .base import TorchText, Window, call_text, constructor, helper
from .shape import Rearranging
from .worked import Element, Worked

MOST = 64
"""The largest block: its square is the factor of the channels."""


class Blocks(Rearranging):
    """Moves blocks of pixels to channels, or back."""

    spatial_axes: ClassVar[tuple[int, ...]] = (2,)
    blocks_first: ClassVar[bool] = False
    """The order of the channels: those of a position in the block together, or (as in PixelShuffle)
    those of an original channel."""

    block: int

    def _channel(self, channel: int, row: int, column: int, channels: int) -> int:
        """The channel of a pixel of a block, in the map of many channels."""
        place = row * self.block + column
        if self.blocks_first:
            return place * channels + channel
        return channel * self.block**2 + place


class ToChannels(Blocks):
    """Blocks of pixels become channels: nothing is lost."""

    def output(self, *inputs: Shape) -> Shape:
        channels, height, width = as_map(inputs[0], self.word)
        for side, name in ((height, "rows"), (width, "columns")):
            if side % self.block:
                raise ShapeError(
                    f"{side} {name} cannot be divided into blocks of {self.block}",
                    f"a size of {-(-side // self.block) * self.block} could be: `pad` or `crop`"
                    " before it",
                )
        return channels * self.block**2, height // self.block, width // self.block

    def window(self, output: Shape, *inputs: Shape) -> Window:
        return Window((self.block, self.block), (self.block, self.block))

    def work_out(self, element: Element) -> Worked:
        channels, place = element.inputs[0][0], self.block**2
        if self.blocks_first:
            place, channel = divmod(element.channel, channels)
        else:
            channel, place = divmod(element.channel, place)
        row, column = divmod(place, self.block)
        return element.copied(
            channel, element.row * self.block + row, element.column * self.block + column
        )

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels, height, width = inputs[0]
        return [
            ("channels", f"{channels}*{self.block}*{self.block} = {output[0]}"),
            ("height", f"{height}/{self.block} = {output[1]}"),
            ("width", f"{width}/{self.block} = {output[2]}"),
        ]


class ToPixels(Blocks):
    """Channels become blocks of pixels."""

    def output(self, *inputs: Shape) -> Shape:
        channels, height, width = as_map(inputs[0], self.word)
        if channels % self.block**2:
            each = self.block**2
            raise ShapeError(
                f"{channels} input channels cannot be divided into {self.block}x{self.block} ="
                f" {each} pixels each",
                f"{-(-channels // each) * each} channels would fit",
            )
        return channels // self.block**2, height * self.block, width * self.block

    def window(self, output: Shape, *inputs: Shape) -> Window:
        step = Fraction(1, self.block)
        return Window((1, 1), (step, step))

    def work_out(self, element: Element) -> Worked:
        row, down = divmod(element.row, self.block)
        column, right = divmod(element.column, self.block)
        channel = self._channel(element.channel, down, right, element.output[0])
        return element.copied(channel, row, column)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        channels, height, width = inputs[0]
        return [
            ("channels", f"{channels}/({self.block}*{self.block}) = {output[0]}"),
            ("height", f"{height}*{self.block} = {output[1]}"),
            ("width", f"{width}*{self.block} = {output[2]}"),
        ]


BLOCK = whole("height and width of the blocks", minimum=1, maximum=MOST, example="2")


class PixelUnshuffle(ToChannels):
    """Turns blocks of pixels into channels: those of a channel stay together, as in PyTorch.

    `space_to_depth` has another order of the channels.
    """

    word: ClassVar[str] = "pixel_unshuffle"
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
        return TorchText(constructor("nn.PixelUnshuffle", self.block))


class PixelShuffle(ToPixels):
    """Turns channels into blocks of pixels: sub-pixel convolution (ESPCN, arXiv:1609.05158).

    A convolution before it makes block * block channels for each of its output channels.
    """

    word: ClassVar[str] = "pixel_shuffle"
    example: ClassVar[str] = "pixel_shuffle 2"
    arithmetic: ClassVar[str] = (
        "output: C / (block * block) channels, H * block, W * block\n"
        "channel c * block * block + i * block + j becomes pixel (i, j) of a block of channel c"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pixel_shuffle": "PixelShuffle(upscale_factor>block) subpixel sub_pixel SubPixel "
        "SubpixelConv2d pixelshuffle PixelShuffle2d",
    }

    block: int = BLOCK

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(constructor("nn.PixelShuffle", self.block))


class SpaceToDepth(ToChannels):
    """Turns blocks of pixels into channels: those of a pixel stay together, as in TensorFlow.

    TResNet begins with it. `pixel_unshuffle` has another order of the channels.
    """

    word: ClassVar[str] = "space_to_depth"
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
        return TorchText(
            call=call_text("space_to_depth({0}, {block})", block=self.block), helper=SPACE_TO_DEPTH
        )


class DepthToSpace(ToPixels):
    """Turns channels into blocks of pixels: the inverse of `space_to_depth`, as in TensorFlow.

    `pixel_shuffle` has another order of the channels.
    """

    word: ClassVar[str] = "depth_to_space"
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
        return TorchText(
            call=call_text("depth_to_space({0}, {block})", block=self.block), helper=DEPTH_TO_SPACE
        )


SPACE_TO_DEPTH = helper('''\
def space_to_depth(x: Tensor, block: int) -> Tensor:
    """Turns blocks of pixels into channels, all channels of a pixel together."""
    pixels = [x[:, :, i::block, j::block] for i in range(block) for j in range(block)]
    return torch.cat(pixels, 1)
''')

DEPTH_TO_SPACE = helper('''\
def depth_to_space(x: Tensor, block: int) -> Tensor:
    """Turns channels into blocks of pixels: the inverse of `space_to_depth`."""
    pixels = torch.unflatten(x, 1, (block * block, -1)).transpose(1, 2)
    return F.pixel_shuffle(pixels.flatten(1, 2), block)
''')
