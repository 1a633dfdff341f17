"""Analyses of a network: parameters, multiply-adds, receptive field, memory, warnings. All are pure
functions of a Network, linear in its size. Each is imported on first use: most commands need few.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from .setting import Setting

if TYPE_CHECKING:
    from ...dsl.diagnostics import Diagnostic
    from ..network import Network
    from .cost import Cost, Totals
    from .field import Field
    from .memory import Memory
    from .weight_layers import WeightLayers

__all__ = ["Analysis", "Setting", "analyse"]


class Analysis:
    """All analyses of one network, each computed on first access."""

    def __init__(self, network: Network, setting: Setting) -> None:
        self.network = network
        self.setting = setting

    @cached_property
    def costs(self) -> list[Cost]:
        """The cost of every node, by index."""
        from .cost import costs

        return costs(self.network, self.setting.frozen)

    @cached_property
    def totals(self) -> Totals:
        from .cost import totals

        return totals(self.network, self.costs)

    @cached_property
    def weight_layers(self) -> WeightLayers:
        from .weight_layers import weight_layers

        return weight_layers(self.network)

    @cached_property
    def output_bytes(self) -> list[int]:
        """The memory of every node's output, for one image, by index."""
        from .output_bytes import output_bytes

        return output_bytes(self.network, self.setting)

    @cached_property
    def fields(self) -> list[Field]:
        """The receptive field of every node, by index."""
        from .field import fields

        return fields(self.network)

    @cached_property
    def requires_grad(self) -> list[bool]:
        """Whether a gradient flows through the output of each node, by index."""
        from .kept import requires_grad

        return requires_grad(self.network, self.setting.frozen)

    @cached_property
    def memory(self) -> Memory:
        from .memory import Memory

        return Memory(self.network, self.setting)

    @cached_property
    def lints(self) -> list[Diagnostic]:
        from .lints import lint

        return lint(self.network, self.fields)


def analyse(network: Network, setting: Setting = Setting()) -> Analysis:  # noqa: B008 (a tuple)
    return Analysis(network, setting)
