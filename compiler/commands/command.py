"""A command of `cnn`: its name and summary; the module with its code is imported when it is run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import NamedTuple, NoReturn

from ...dsl.closest import closest
from .terminal import USAGE, width


class HelpText(argparse.RawDescriptionHelpFormatter):
    """One is made for each option; without a width, it would import `shutil` to ask for it, which
    takes as long as the rest of a small command line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=width(sys.stdout, otherwise=80) - 2)


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests the closest choice for a misspelled one, or that which
    another tool's word stands for."""

    elsewhere: Mapping[str, str] = {}
    """Words of other tools, and the choices in their place."""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The arguments of a command, in any order; options of other tools end it with what is
        written here."""
        known = self._option_string_actions
        suspect = any("=" in each or (each[:1] == "-" and each not in known) for each in arguments)
        if suspect and not {"-h", "--help"} & {*arguments}:
            from .foreign_options import wrong_words

            command = self.prog.rpartition(" ")[2]
            wrong = list(wrong_words(command, self, arguments))
            if wrong:
                lines = (f"{self.prog}: `{each.text}` is not known: {each.help}" for each in wrong)
                self.exit(USAGE, "".join(f"{line}\n" for line in lines))
        # Intermixed: `cnn show by_hand --matrix "1 2; 3 4" conv1` has names on both sides.
        return self.parse_intermixed_args(arguments)

    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message and "choose from" in message:
            import re

            wrong, *choices = re.findall(r"'([^']*)'", message)
            close = self.elsewhere.get(wrong.lower()) or closest(wrong, choices)
            if close:
                message += f"\ndid you mean `{close}`?"
        if message.startswith("argument "):  # one option is wrong: the others do not matter
            self.exit(USAGE, f"{self.prog}: error: {message}\n")
        super().error(message)


class Command(NamedTuple):
    name: str
    package: str
    """The package of its module, relative to `dotcnn`: `compiler.commands`."""
    summary: str
    """One line for `cnn --help`, which imports no command."""

    def parser(self) -> Parser:
        """The parser of its arguments."""
        module = self.module()
        details = getattr(module, "DETAILS", "")
        examples = "".join(f"  {line}\n" for line in module.EXAMPLES.splitlines())
        parser = Parser(
            prog=f"cnn {self.name}",
            description=f"{self.summary[0].upper()}{self.summary[1:]}.\n{details}".rstrip(),
            epilog=f"examples:\n{examples}",
            formatter_class=HelpText,
        )
        module.add_arguments(parser)
        if getattr(module, "TAKES_PLUGINS", True):
            parser.add_argument(
                "--plugin",
                action="append",
                default=[],
                metavar="FILE.py",
                help="layers, losses, metrics, augmentations, optimizers or schedules of your own:"
                " a Python file, or a folder of them with `__init__.py`, which it executes; a spec"
                ' that has words of it says `use "FILE"`; may be repeated',
            )
        parser.add_argument(
            "--color",
            choices=["auto", "always", "never"],
            default="auto",
            help="use colors on a terminal (auto), always or never; NO_COLOR is respected",
        )
        return parser

    def run(self, options: argparse.Namespace) -> int:
        """Runs it; returns an exit code, or raises SpecError or CommandError."""
        return int(self.module().run(options))

    def module(self) -> ModuleType:
        return import_module(f"dotcnn.{self.package}.{self.name.replace('-', '_')}")
