"""`data shards … window=`: whether training images are shuffled over the whole set, or in a window.

Images on disks of this computer are read in any order. From elsewhere, one image here and one there
would be a request for each, and other computers would need the same blocks of a file: then images
are shuffled within a window, and pieces of files are read one after the other.
"""

from __future__ import annotations

import torch

from ....compiler.plan.data import FULL, Shards
from ..loader.image_source import ImageSource
from ..loader.shard_files import ShardFiles
from ..loader.windowed_order import ShuffleWindow

LARGE = 2**24
"""With more images than this, a full shuffle takes too much memory for its order in each process
(8 bytes an image), and a second at the start of each epoch. Runs are resumed in their own order:
neither this number nor what it stands for may change."""
_MEASURED = 1024


def window_of(data: object, source: ImageSource) -> ShuffleWindow | None:
    """The window in which training images are shuffled; None if over the whole set."""
    if not isinstance(data, Shards) or not isinstance(source, ShardFiles) or data.window == FULL:
        return None
    count, asked = len(source), data.window
    if asked == "auto" and source.members.reader is None and count <= LARGE:
        return None
    asked_for = asked if isinstance(asked, int) else None
    window = ShuffleWindow.of(_bytes_of_image(source), asked_for)
    return window if window.images < count else None


def _bytes_of_image(source: ShardFiles) -> float:
    """About the bytes of an image in its file, from some of them: always the same ones."""
    step = max(1, len(source) // _MEASURED)
    some = torch.arange(0, len(source), step)
    return float(source.members.bytes_of(some).double().mean())
