"""A loss: a finite mean over images, with a gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..compiler.plan.data import UNLABELLED
from ..compiler.plan.loss import Loss
from .as_plugin import refusal
from .built import values
from .checked import Checked

IMAGES, CLASSES = 12, 5


class Case(NamedTuple):
    what: str
    outputs: Tensor
    labels: Tensor
    right: Tensor | None = None
    """Outputs that answer as the labels say."""


def check_loss(kind: type[Loss], seed: int) -> Checked:
    checked = Checked()
    refused = refusal(kind)
    if refused:
        checked.failures.append(refused)
        return checked
    for loss in _variants(kind):
        for task in kind.tasks:
            for case in cases(task, torch.Generator().manual_seed(seed)):
                try:
                    _check(checked, str(loss), loss.function(None), case)
                except Exception as error:
                    sentence = f"`{loss}` fails on {case.what}: {type(error).__name__}: {error}"
                    checked.failures.append(sentence)
        if loss.weighted and "classification" in kind.tasks:
            _check_weights(checked, loss, seed)
    return checked


def _variants(kind: type[Loss]) -> Iterator[Loss]:
    """The usual arguments, and each other value that is known of one."""
    needed = {field.name: values(field)[0] for field in kind.needed()}
    yield kind(**needed)
    for name, field in kind.fields.items():
        if name not in ("output", "weight"):
            for value in values(field)[1:4]:
                yield kind(**{**needed, name: value})


def cases(task: str, draw: torch.Generator) -> Iterator[Case]:
    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    if task == "classification":
        labels = torch.randint(CLASSES, (IMAGES,), generator=draw)
        right = 8 * torch.eye(CLASSES)[labels] - 4
        yield Case("class indices", normal(IMAGES, CLASSES), labels, right)
        shares = normal(IMAGES, CLASSES).softmax(1)
        yield Case("shares of classes, as of mixed images", normal(IMAGES, CLASSES), shares)
    elif task == "multi_label":
        present = torch.randint(2, (IMAGES, CLASSES), generator=draw).float()
        yield Case("classes present", normal(IMAGES, CLASSES), present, 8 * present - 4)
        present = present.clone()
        present[::3, 1] = torch.nan
        yield Case("labels of which some are not known (NaN)", normal(IMAGES, CLASSES), present)
    elif task == "regression":
        numbers = normal(IMAGES, 2)
        yield Case("numbers", normal(IMAGES, 2), numbers, numbers.clone())
    elif task == "segmentation":
        masks = torch.randint(CLASSES, (IMAGES, 6, 7), generator=draw)
        right = 8 * torch.eye(CLASSES)[masks].movedim(3, 1) - 4
        yield Case("masks", normal(IMAGES, CLASSES, 6, 7), masks.to(torch.uint8), right)
        masks[:, 0] = UNLABELLED
        outputs = normal(IMAGES, CLASSES, 6, 7)
        yield Case("masks with pixels that are not labeled", outputs, masks.to(torch.uint8))
    elif task == "image_to_image":
        images = torch.rand(IMAGES, 3, 12, 12, generator=draw)
        yield Case("images", images.flip(0), images, images.clone())


def _check(
    checked: Checked, loss: str, function: Callable[[Tensor, Tensor], Any], case: Case
) -> None:
    before = case.outputs.clone(), case.labels.clone()
    outputs = case.outputs.clone().requires_grad_()
    result = function(outputs, case.labels)
    of = f"`{loss}` of {case.what}"
    if not isinstance(result, Tensor) or result.shape != ():
        shape = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
        checked.that(False, f"{of} has to be one number; it is {shape}")
        return
    whole = float(result.detach())
    checked.that(math.isfinite(whole), f"{of} is {whole}, and has to be finite")
    checked.that(
        torch.equal(case.outputs, before[0])
        and torch.equal(case.labels.nan_to_num(-7), before[1].nan_to_num(-7)),
        f"{of} changes what it is given",
    )
    if result.requires_grad:
        (gradient,) = torch.autograd.grad(result, outputs)
        good = bool(gradient.isfinite().all()) and bool(gradient.abs().sum() > 0)
        checked.that(good, f"the gradient of {of} is zero or not finite: nothing could be learned")
    else:
        checked.that(False, f"{of} has no gradient: is it detached, or made of counts?")
    first = IMAGES // 3
    parts = [
        float(function(case.outputs[part], case.labels[part])) * len(case.labels[part])
        for part in (slice(first), slice(first, None))
    ]
    mean = sum(parts) / IMAGES
    checked.that(
        abs(whole - mean) <= 1e-4 * (1 + abs(whole)),
        f"{of} is not a mean over images: {whole:.6g} for all {IMAGES}, and {mean:.6g} as the mean"
        f" of {first} and of {IMAGES - first}",
    )
    if case.right is not None:
        best = float(function(case.right, case.labels))
        checked.that(
            best <= whole,
            f"{of} is {best:.4g} where the outputs are right, and {whole:.4g} for random ones",
        )


def _check_weights(checked: Checked, loss: Loss, seed: int) -> None:
    """With weights of the classes, which a spec may give (`weights balanced`)."""
    case = next(cases("classification", torch.Generator().manual_seed(seed)))
    weights = torch.linspace(0.5, 1.5, CLASSES)
    try:
        result = loss.function(weights)(case.outputs, case.labels)
    except Exception as error:
        sentence = f"`{loss}` fails with weights of classes: {type(error).__name__}: {error}"
        checked.failures.append(f"{sentence}; write `weighted = False` if it has none")
        return
    plain = loss.function(None)(case.outputs, case.labels)
    checked.that(
        bool(result.isfinite()) and not torch.equal(result, plain),
        f"`{loss}` takes no notice of weights of classes; write `weighted = False` if it has none",
    )
