"""Evaluates a network that answers for each pixel on whole images, with their views."""

from __future__ import annotations

import torch

from ...compiler.plan.evaluate import Tta
from ..data.images.image_file import quiet
from ..data.loader.thread_pool import Progress
from ..data.open import Opened
from ..masks.whole_image import WholeImages
from ..metrics.evaluation import Measured
from .original_image import original_with_mask
from .trained_model import TrainedModel


def mask_views(
    model: TrainedModel, opened: Opened, part: str, tta: Tta | None, progress: Progress
) -> Measured:
    """The counts for all images of a part, each answered as a whole, resized but not cropped, and
    averaged over its views."""
    task, count = opened.task, len(opened.stores[part])
    whole = WholeImages(model.modules, opened.preparation, task, model.device, tta)
    tally, quality = task.tally(opened.loss, model.device).thorough(), []
    with quiet(), torch.inference_mode():
        for index in range(count):
            progress("evaluating", index, count)
            both = original_with_mask(opened, part, index)
            outputs = whole.outputs(both[None, :-1])
            mask = opened.preparation.fit.whole(both, masks=1)[-1:].to(model.device)
            tally.add(outputs, mask)
            quality.append(task.quality(outputs, mask))
    progress("evaluating", count, count)
    return Measured(tally, torch.cat(quality).cpu(), task)
