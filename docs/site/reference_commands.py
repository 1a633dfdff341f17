"""The reference of the command line: the help of every command, as `--help` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from dotcnn.cli import GROUPS

from .pages import Page, fenced


def pages() -> Iterator[Page]:
    for group, commands in GROUPS.items():
        for command in commands:
            name = f"cnn {command.name}"
            summary = f"{command.summary[0].upper()}{command.summary[1:]}."
            text = fenced(command.parser().format_help())
            yield Page(
                f"commands/{command.name}",
                name,
                f"# `{name}`\n\n{summary}\n\n{text}",
                group.capitalize(),
            )
