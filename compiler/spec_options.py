"""A spec as it is given to a command: its text, and the options that it is built with. A run folder
keeps both, so that the same network and plan can be built again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..dsl.diagnostics import Diagnostic, SpecError
from ..dsl.source import Source
from .shapes import Shape


class Options(NamedTuple):
    """The options given with a spec, from which the same network and plan can be built again."""

    network: str | None = None
    """The name of the network, for a file that defines several."""
    input: Shape | None = None
    classes: int | None = None
    """The number of classes."""
    set: tuple[str, ...] = ()
    """Parameters and directives in the form of `--set`: `train.epochs=3`."""

    def to_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "input": list(self.input) if self.input else None,
            "classes": self.classes,
            "set": list(self.set),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Options:
        """Options from JSON; raises KeyError, TypeError or ValueError if the form is wrong."""
        return Options(
            data["network"],
            tuple(map(int, data["input"])) if data["input"] else None,
            data["classes"],
            tuple(map(str, data["set"])),
        )

    def overrides(self, name: str) -> list[tuple[str, object]]:
        """The values of `set`; raises SpecError if a run, whose spec is `name`, has others."""
        from .language.overrides import OverrideError, read_override

        try:
            return [read_override(text, "what the run was started with") for text in self.set]
        except OverrideError as error:
            message = f"the options of this run cannot be read: {error}"
            raise SpecError([Diagnostic("no-run", message, file=name)]) from None


class GivenSpec(NamedTuple):
    """A spec, and the options that a run built it with; without a run, none."""

    source: Source
    options: Options = Options()
    base: Path | None = None
    """The folder that a run's paths of data are relative to."""

    def overrides(self) -> list[tuple[str, object]]:
        return self.options.overrides(self.source.name)
