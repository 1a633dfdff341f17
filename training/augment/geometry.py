"""A pass that moves pixels: its steps to matrices, and one look for all of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ...compiler.plan.augment import Elastic as ElasticDirective
from ...compiler.plan.fusion import Pass
from .bells import Elastic
from .draws import Layout
from .moves import move
from .table import Table
from .turns import Rule, Turn, turner
from .warp import Fill, warp


class Geometry:
    """Of kind `move` or `warp`."""

    def __init__(self, one: Pass, layout: Layout, even: Table) -> None:
        self._moves = one.kind == "move"
        self._out = one.leaves
        self._fill: Fill = (0.0,) if isinstance(one.fill, str) else one.fill
        steps = [step for step in one.steps if not isinstance(step.directive, ElasticDirective)]
        self._turners = [turner(step, layout) for step in steps]
        self._elastic = None
        if len(steps) < len(one.steps):  # it is the last one
            self._elastic = Elastic(one.steps[-1], layout, even)
            self._rule: Rule = one.fill if isinstance(one.fill, str) else "constant"  # type: ignore[assignment]

    def __call__(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Moved, they are of the type that they were of; else float32."""
        turns = [make(drawn) for make in self._turners]
        if self._moves:
            return move(images, turns, self._out, self._fill)
        images = images.to(torch.float32)
        if self._elastic is None:
            return warp(images, turns, self._out, self._fill)
        still = torch.eye(3, device=images.device).repeat(len(images), 1, 1)
        turns.append(Turn(still, self._rule, self._out))
        return warp(images, turns, self._out, self._fill, self._elastic(drawn, self._out))
