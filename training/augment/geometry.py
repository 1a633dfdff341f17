"""A geometric pass: its directives become matrices, and one interpolation applies all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ...compiler.plan.augment.passes import MOVE
from ...compiler.plan.fusion import Pass
from .flip_and_crop import FlipAndCrop
from .homography import IDENTITY
from .per_image import Moving
from .registry import Resources, implementation
from .transforms import Border, MakeTransform, Transform
from .warp import Fill, InverseMap, warp, warp_masks


class Geometry:
    """A pass that moves pixels. A `MOVE` keeps the type of the images, a `WARP` returns float32."""

    def __init__(self, one: Pass, resources: Resources) -> None:
        self._moves = one.kind == MOVE
        self._out = one.output_size
        self._fill: Fill = (0.0,) if isinstance(one.fill, str) else one.fill
        self._border: Border = one.fill if isinstance(one.fill, str) else "constant"  # type: ignore[assignment]
        self._transforms: list[MakeTransform] = []
        self._displacement = None
        for step in one.steps:
            implemented = implementation(step, resources)
            if step.directive.displaces:  # this is always the last step
                self._displacement = implemented
            else:
                self._transforms.append(implemented)

    def __call__(self, drawn: Tensor) -> Moving:
        transforms = [make(drawn) for make in self._transforms]
        out, fill = self._out, self._fill
        if self._moves:
            copied = FlipAndCrop(transforms, drawn[0], out, fill)
            return Moving(copied, copied.masks, copied.answers)
        field = None
        if self._displacement is not None:
            transforms.append(Transform(IDENTITY, self._border, out))
            field = self._displacement(drawn, out)
        inverse = InverseMap(transforms, drawn[0], out)

        def moved(images: Tensor, piece: slice) -> Tensor:
            shift = field(piece) if field is not None else None
            return warp(images.to(torch.float32), inverse, piece, fill, shift)

        def masks(masks: Tensor, piece: slice) -> Tensor:
            return warp_masks(masks, inverse, piece, field(piece) if field is not None else None)

        def answers(images: Tensor, piece: slice) -> Tensor:
            shift = field(piece) if field is not None else None
            return warp(images.to(torch.float32), inverse, piece, (0.0,), shift)

        return Moving(moved, masks, answers)
