"""The base of metrics of one's own (`dotcnn.plugins.Metric`): sums over images, and one number that
follows from them. Sums of batches, and of processes, are added up, so that a metric does not depend
on how the images were divided.

    class Mcc(Metric):
        word = "mcc"
        title = "Matthews correlation"

        def sums(self, outputs):                    # the shape of the sums
            return outputs, outputs

        def count(self, outputs, labels):           # those of one batch
            import torch
            cells = labels * outputs.shape[1] + outputs.argmax(1)
            return torch.bincount(cells, minlength=outputs.shape[1] ** 2).view(outputs.shape[1], -1)

        def value(self, sums): …                    # a number from all of them
"""

from __future__ import annotations

from typing import ClassVar

from ..extend.torch_class import Tensor


class Metric:
    """A metric of validation and evaluation, which a spec names: `metrics loss top1 mcc`."""

    word: ClassVar[str] = ""
    title: ClassVar[str] = ""
    """As reports name it; the word, if it is left empty."""
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    """What it measures: `classification`, `multi_label`, `segmentation`, `regression`,
    `image_to_image`."""
    higher: ClassVar[bool] = True
    """Whether higher is better."""
    share: ClassVar[bool] = False
    """Whether it is from 0 to 1, and shown in percent."""
    unit: ClassVar[str] = ""

    def sums(self, outputs: int) -> tuple[int, ...]:
        """The shape of its sums, for a network with so many outputs (classes, numbers, channels);
        `()` for a single one."""
        raise NotImplementedError

    def count(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The sums of a batch, on its device. `outputs` are what the network returns, float32
        (logits of classes); `labels` are as a loss has them."""
        raise NotImplementedError

    def value(self, sums: Tensor) -> float:
        """The metric, from the sums over all images (float64, on the CPU)."""
        raise NotImplementedError
