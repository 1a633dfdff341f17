"""Answers about a network: what it costs, how far it sees, what memory it needs, what looks wrong.

All are pure functions of a Network, linear in its size. Each is imported when it is asked for: most
commands ask for few.
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

__all__ = ["Analysis", "Setting", "analyse"]


class Analysis:
    """All answers about one network, each worked out when it is first asked for."""

    def __init__(self, network: Network, setting: Setting) -> None:
        self.network = network
        self.setting = setting

    @cached_property
    def costs(self) -> list[Cost]:
        """Of every node, by its index."""
        from .cost import costs

        return costs(self.network, self.setting.frozen)

    @cached_property
    def totals(self) -> Totals:
        from .cost import totals

        return totals(self.network, self.costs)

    @cached_property
    def fields(self) -> list[Field]:
        """Receptive fields, by index of the node."""
        from .field import fields

        return fields(self.network)

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
