"""A pass that moves pixels: its steps to matrices, and one look for all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ...compiler.plan.augment import Elastic as ElasticDirective
from ...compiler.plan.fusion import Pass
from .flip_and_crop import Moves
from .gaussian import Elastic
from .homography import IDENTITY
from .noise_table import Table
from .per_image import Ready
from .random_numbers import Layout
from .transforms import Rule, Turn, turner
from .warp import Fill, Way, warp


class Geometry:
    """Of kind `move` or `warp`. Moved, images are of the type that they were of; else float32."""

    def __init__(self, one: Pass, layout: Layout, even: Table) -> None:
        self._moves = one.kind == "move"
        self._out = one.leaves
        self._fill: Fill = (0.0,) if isinstance(one.fill, str) else one.fill
        steps = [step for step in one.steps if not isinstance(step.directive, ElasticDirective)]
        self._turners = [turner(step, layout) for step in steps]
        self._elastic: Elastic | None = None
        if len(steps) < len(one.steps):  # it is the last one
            self._elastic = Elastic(one.steps[-1], layout, even)
            self._rule: Rule = one.fill if isinstance(one.fill, str) else "constant"  # type: ignore[assignment]

    def __call__(self, drawn: Tensor) -> Ready:
        turns = [make(drawn) for make in self._turners]
        out, fill = self._out, self._fill
        if self._moves:
            return Moves(turns, drawn[0], out, fill)
        if self._elastic is None:
            way = Way(turns, drawn[0], out)
            return lambda images, piece: warp(images.to(torch.float32), way, piece, fill)
        way = Way([*turns, Turn(IDENTITY, self._rule, out)], drawn[0], out)
        field = self._elastic(drawn, out)
        return lambda images, piece: warp(images.to(torch.float32), way, piece, fill, field(piece))
