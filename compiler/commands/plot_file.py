"""Writes what a command draws: a plot as .svg, .png or .html, or the bytes of a finished file."""

from __future__ import annotations

from pathlib import Path

from .output_file import writing
from .terminal import CommandError, say

PLOTS = (".html", ".png", ".svg")


def must_have_folders(*outputs: str | None) -> None:
    """Raises CommandError if the folder of a file to write is missing: before long work, not after
    it."""
    for output in outputs:
        if output is not None and not Path(output).parent.is_dir():
            raise CommandError(f"cannot write {output}: there is no folder {Path(output).parent}")


def write_plot(output: str, title: str, svg: str) -> None:
    """The ending of the file decides the format."""
    from ..report.drawing.png import NoFont, NotInstalled, png
    from ..report.plot import HEIGHT, WIDTH, html

    ending = Path(output).suffix.lower()
    try:
        if ending == ".png":
            write_bytes(output, png(svg, WIDTH, HEIGHT))
        else:
            write_bytes(output, (svg if ending == ".svg" else html(title, svg)).encode())
    except NotInstalled as error:
        raise CommandError(f"{error.message}\n  help: {error.help}") from None
    except NoFont as error:
        raise CommandError(str(error)) from None


def write_bytes(output: str, data: bytes) -> None:
    with writing(output):
        Path(output).write_bytes(data)
    say(f"wrote {output}")
