"""`cnn gallery`: list the specs that come with dotcnn."""

from __future__ import annotations

import argparse

from .options import add_format
from .terminal import OK, style

TAKES_PLUGINS = False

EXAMPLES = """\
cnn gallery
cnn gallery --format json"""

DETAILS = "A command that takes a FILE takes the name of one of these, too: `cnn report resnet50`."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    from ..report.gallery import gallery, gallery_json, gallery_text

    entries = gallery()
    if options.format == "json":
        print(gallery_json(entries))
    else:
        print(gallery_text(entries, style(options)))
    return OK
