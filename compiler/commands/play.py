"""`cnn play`: the playground, beside a file of this computer."""

from __future__ import annotations

import argparse
import asyncio
import webbrowser
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .terminal import OK, CommandError, UsageError, say

EXAMPLES = """\
cnn play net.cnn
cnn play
cnn play net.cnn --no-browser --port 8765"""

DETAILS = """\
A page in the browser: the text on the left, and beside it the drawing, the table, the emitted
module and the arithmetic of each layer, as you type. What is typed is saved in the file, and what
another editor saves there is shown. Only this computer can open it, with the address that is
printed. It needs `pip install "dotcnn[editor]"`; Ctrl-C ends it."""

_SERVE, _FILE = "dotcnn.editor.play.serve", "dotcnn.editor.play.own_file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a spec; a new one is begun if it does not exist"
    )
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--no-browser", action="store_true", help="print the address alone")


def run(options: argparse.Namespace) -> int:
    missing = [name for name in ("pygls", "websockets") if find_spec(name) is None]
    if missing:
        raise CommandError(
            f'`cnn play` needs {" and ".join(missing)}: pip install "dotcnn[editor]"'
        )
    serving = import_module(_SERVE)
    if not (serving.PAGE / "index.html").is_file():
        raise CommandError("the page is not built in this checkout: make playground")
    file = None
    if options.file is not None:
        path = Path(options.file)
        if path.suffix != ".cnn":
            raise UsageError(f"{path} does not end in .cnn, as specs do")
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent}")
        file = import_module(_FILE).OwnFile(path)

    def ready(address: str) -> None:
        say(f"open {address}")
        say("Ctrl-C ends it")
        if not options.no_browser:
            webbrowser.open(address)

    try:
        asyncio.run(serving.Play(file, say).run(options.port, ready))
    except KeyboardInterrupt:
        say("ended")
    except OSError as error:
        raise CommandError(f"cannot listen: {error.strerror or error}") from None
    return OK
