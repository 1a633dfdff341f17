"""`cnn export --script` of a network that answers with images: a Python script that restores
photographs of any size with an exported ONNX file."""

from __future__ import annotations

from pathlib import Path

from ..data.images.preprocessing import Preparation
from ..masks.tiling import OVERLAP
from ..tasks.image_to_image import ImageToImage
from .formats import SCRIPT_MARK, script_name
from .script import END, constants, imports, load_function
from .script_text import main_text, plain_name


def restore_script(
    model: str, preparation: Preparation, task: ImageToImage, *, predicts: bool
) -> str:
    """The text of the script. `model` is the name of the ONNX file beside it; `predicts` says
    whether the file outputs levels from 0 to 1, and not what precedes them."""
    header = _HEADER.format(
        model=plain_name(model), script=plain_name(script_name(Path(model))), mark=SCRIPT_MARK
    )
    first = header.strip("\n") + imports(preparation).rstrip("\n") + "\n"
    start = first + constants(model, preparation, task.classes, "CHANNELS")
    levels = "outputs"
    if not predicts:
        levels = "1 / (1 + np.exp(-outputs))"
        if task.ends_in != "sigmoid":
            start += (
                f"MEANS = np.array({list(task.means)!r})[:, None, None]  # of answers\n"
                f"DEVIATIONS = np.array({list(task.deviations)!r})[:, None, None]\n"
            )
            levels = "outputs * DEVIATIONS + MEANS"
    restore = _RESTORE.replace("LEVELS", levels).replace("OVERLAP", str(1 - OVERLAP))
    pieces = [start, _MAIN, restore, load_function(preparation)]
    return "\n\n\n".join(piece.strip("\n") for piece in pieces) + END


_HEADER = '''
"""Restore photographs with {model}:

    python {script} photo.jpg other.png

What becomes of photo.jpg is photo_restored.png. Needs numpy, pillow and onnxruntime. {mark}: the
answers are those of `cnn predict`.
"""
'''

_MAIN = main_text(
    """\
            picture = Image.fromarray(restore(session, load(path)))
            picture.save(Path(path).with_name(f"{Path(path).stem}_restored.png"))
""",
    """\
        print(f"{path}: {picture.width} x {picture.height}")
""",
)

_RESTORE = '''
def restore(session, pixels):
    """The answer to an image of any size: tiles of the size of the network's input, which overlap,
    so that no seams are seen."""
    height, width = pixels.shape[:2]
    missing = [max(0, CROP[axis] - pixels.shape[axis]) for axis in (0, 1)]
    pixels = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    total = weights = None
    for top in starts(pixels.shape[0], CROP[0]):
        for left in starts(pixels.shape[1], CROP[1]):
            tile = normalized(pixels[top : top + CROP[0], left : left + CROP[1]])
            outputs = session.run(None, {"images": tile[None]})[0][0].astype(np.float64)
            if total is None:
                times = outputs.shape[1] // CROP[0]
                shape = times * pixels.shape[0], times * pixels.shape[1]
                total, weights = np.zeros((len(outputs), *shape)), np.zeros(shape)
                window = np.outer(*(edge(times * side) for side in CROP))
            there = (slice(times * top, times * (top + CROP[0])),
                     slice(times * left, times * (left + CROP[1])))
            total[(slice(None), *there)] += outputs * window
            weights[there] += window
    outputs = (total / weights)[:, : times * height, : times * width]
    levels = np.clip(LEVELS, 0, 1)
    image = np.rint(levels * 255).astype(np.uint8).transpose(1, 2, 0)
    return image[..., 0] if image.shape[2] == 1 else image


def normalized(pixels):
    """Bytes (height x width x channels) for the network."""
    factor, offset = (SCALE / STD).astype(np.float32), (-MEAN / STD).astype(np.float32)
    return (pixels * factor + offset).transpose(2, 0, 1)


def starts(length, tile):
    """Where tiles begin along an axis, evenly spaced."""
    if length <= tile:
        return [0]
    steps = int(np.ceil((length - tile) / max(1, tile * OVERLAP)))
    return [round(number * (length - tile) / steps) for number in range(steps + 1)]


def edge(side):
    """The weights of the pixels of a tile along an axis: almost zero at its ends."""
    return np.maximum(np.sin((np.arange(side) + 0.5) * np.pi / side) ** 2, 1e-3)
'''
