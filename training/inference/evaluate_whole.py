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
from ..tasks.multi_task import MultiTask, One
from .original_image import original_pair, original_with_maps
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
    tally, quality = task.counts(opened.loss, model.device).thorough(), []
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
    one: One,
    tta: Tta,
    progress: Progress,
) -> Tensor:
    """How good the masks or images of one of several outputs are, which `model` answers alone:
    averaged over views, for the images that have one (`known`), and NaN for the others. They are
    added to its tally."""
    assert model.task is not None
    whole = WholeImages(model.modules, opened.preparation, model.task, model.device, tta)
    count = len(opened.stores[part])
    quality, source = torch.full((count,), torch.nan), opened.stores[part].source
    assert isinstance(opened.task, MultiTask)
    channels = opened.task.channels_of(one)
    with quiet(), torch.inference_mode():
        for index in known:
            progress("evaluating", index, count)
            both = original_with_maps(opened, part, index)
            every = opened.preparation.fit.whole(both, masks=source.masks)[-source.further :]
            label = one.read(every[None, channels].to(model.device))
            outputs = whole.outputs(both[None, : -source.further])
            tally.add(outputs, label)
            quality[index] = model.task.quality(outputs, label)[0].cpu()
    progress("evaluating", count, count)
    return quality


def _image_and_label(opened: Opened, part: str, index: int) -> tuple[Tensor, Tensor]:
    """A whole image, and its mask or the image to answer at the size of the network's outputs."""
    if opened.pairs is not None:
        return original_pair(opened, part, index)
    both = original_with_maps(opened, part, index)
    return both[:-1], opened.preparation.fit.whole(both, masks=1)[-1].to(torch.uint8)
