"""A command of `cnn` by its name; its module is loaded when its arguments are asked for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from ...dsl.closest import closest


class Parser(argparse.ArgumentParser):
    """Suggests the closest choice for a wrong one."""

    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message and "choose from" in message:
            import re

            wrong, *choices = re.findall(r"'([^']*)'", message)
            close = closest(wrong, choices)
            if close:
                message += f"\ndid you mean `{close}`?"
        super().error(message)


@dataclass(frozen=True)
class Command:
    name: str
    package: str
    """Where its module is, within this one: `compiler.commands`."""
    summary: str
    """What it does, in one line: for `cnn --help`, which loads no command."""

    def parser(self) -> Parser:
        """Its arguments."""
        module = self.module()
        details = getattr(module, "DETAILS", "")
        examples = "".join(f"  {line}\n" for line in module.EXAMPLES.splitlines())
        parser = Parser(
            prog=f"cnn {self.name}",
            description=f"{self.summary[0].upper()}{self.summary[1:]}.\n{details}".rstrip(),
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(parser)
        parser.add_argument(
            "--color",
            choices=["auto", "always", "never"],
            default="auto",
            help="use colours on a terminal (auto), always or never; NO_COLOR is respected",
        )
        return parser

    def run(self, options: argparse.Namespace) -> int:
        """Its action; returns an exit code, or raises SpecError or CommandError."""
        return int(self.module().run(options))

    def module(self) -> ModuleType:
        return import_module(f"dotcnn.{self.package}.{self.name}")
