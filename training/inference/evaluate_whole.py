"""Evaluates a network that answers with masks or images on whole images, with their views."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...compiler.plan.evaluate import Tta
from ..data.images.image_file import quiet
from ..data.loader.thread_pool import Progress
from ..data.opened import Opened
from ..metrics.evaluation import Measured
from ..metrics.tally import Tally
from .original_image import original_pair, original_with_mask
from .trained_model import TrainedModel
from .whole_image import WholeImages


def whole_views(
    model: TrainedModel, opened: Opened, part: str, tta: Tta | None, progress: Progress
) -> Measured:
    """The counts for all images of a part, each answered as a whole, resized but not cropped, and
    averaged over its views."""
    task, count = opened.task, len(opened.stores[part])
    times = opened.pairs.enlarges if opened.pairs is not None else 1
    whole = WholeImages(
        model.modules,
        opened.preparation,
        task,
        model.device,
        tta,
        tiling=opened.tiling,
        enlarges=times,
    )
    tally, quality = task.tally(opened.loss, model.device).thorough(), []
    with quiet(), torch.inference_mode():
        for index in range(count):
            progress("evaluating", index, count)
            image, label = _image_and_label(opened, part, index)
            outputs, label = whole.outputs(image[None]), label[None].to(model.device)
            tally.add(outputs, label)
            quality.append(task.quality(outputs, label))
    progress("evaluating", count, count)
    return Measured(tally, torch.cat(quality).cpu(), task)


def quality_of_views(
    model: TrainedModel,
    opened: Opened,
    part: str,
    tally: Tally,
    known: Sequence[int],
    number: int,
    tta: Tta,
    progress: Progress,
) -> Tensor:
    """How good the masks of one of several outputs are, which `model` answers alone: averaged over
    views, for the images that have one (`known`), and NaN for the others. They are added to its
    tally. `number` is the place of the mask among those of an image."""
    assert model.task is not None
    whole = WholeImages(model.modules, opened.preparation, model.task, model.device, tta)
    count = len(opened.stores[part])
    quality, masks = torch.full((count,), torch.nan), opened.stores[part].source.masks
    with quiet(), torch.inference_mode():
        for index in known:
            progress("evaluating", index, count)
            both = original_with_mask(opened, part, index)
            every = opened.preparation.fit.whole(both, masks=masks)[-masks:]
            mask = every[number][None].to(model.device, torch.uint8)
            outputs = whole.outputs(both[None, :-masks])
            tally.add(outputs, mask)
            quality[index] = model.task.quality(outputs, mask)[0].cpu()
    progress("evaluating", count, count)
    return quality


def _image_and_label(opened: Opened, part: str, index: int) -> tuple[Tensor, Tensor]:
    """A whole image, and its mask or the image to answer at the size of the network's outputs."""
    if opened.pairs is not None:
        return original_pair(opened, part, index)
    both = original_with_mask(opened, part, index)
    return both[:-1], opened.preparation.fit.whole(both, masks=1)[-1].to(torch.uint8)
