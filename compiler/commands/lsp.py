"""`cnn lsp`: the language server for editors."""

from __future__ import annotations

import argparse
from importlib import import_module
from importlib.util import find_spec

from .terminal import OK, CommandError, say

EXAMPLES = """\
cnn lsp
cnn lsp --tcp 7171
cnn lsp --websocket 7171"""

DETAILS = """\
Editors start it themselves, and speak with it by standard input and output. It compiles a spec
while it is typed: mistakes with their fixes, shapes at line ends, completion, and more. It needs
`pip install "dotcnn[editor]"`."""

_SERVER = "dotcnn.editor.server.language_server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stdio", action="store_true", help="standard input and output (default)")
    where.add_argument("--tcp", type=int, metavar="PORT", help="a port of this computer")
    where.add_argument("--websocket", type=int, metavar="PORT", help="the same, for browsers")


def run(options: argparse.Namespace) -> int:
    if find_spec("pygls") is None:
        raise CommandError('`cnn lsp` needs pygls: pip install "dotcnn[editor]"')
    server = import_module(_SERVER).make_server()
    if options.tcp is not None:
        say(f"listening on 127.0.0.1:{options.tcp}")
        server.start_tcp("127.0.0.1", options.tcp)
    elif options.websocket is not None:
        say(f"listening on ws://127.0.0.1:{options.websocket}")
        server.start_ws("127.0.0.1", options.websocket)
    else:
        server.start_io()
    return OK
