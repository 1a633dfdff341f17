"""The cell `%%cnn NAME`: its text is a spec; NAME becomes the compiled network."""

from __future__ import annotations

from typing import Any

from ...compiler.diagnose.check import checked
from ...compiler.load_spec import load
from ...compiler.network import Network
from ...dsl.diagnostics import SpecError
from ...dsl.source import Source
from . import as_html

USAGE = "write `%%cnn net`: the name of the network, and then its spec"


def load_extension(ipython: Any) -> None:
    """Makes the cell known, and how networks and results are shown."""
    from IPython.display import HTML, display

    def cnn(line: str, cell: str) -> None:
        name = line.strip()
        if not name.isidentifier():
            display(HTML(f"<p>{USAGE}</p>"))
            return
        try:
            network = compiled(name, cell, lambda text: display(HTML(text)))
        except SpecError as error:
            display(HTML(as_html.mistakes(error.diagnostics)))
            return
        ipython.push({name: network})
        display(network)

    ipython.register_magic_function(cnn, "cell", "cnn")
    html = ipython.display_formatter.formatters["text/html"]
    html.for_type(Network, as_html.network)
    html.for_type_by_name("dotcnn.training.trainer.result", "Result", as_html.result)


def compiled(name: str, text: str, show: Any) -> Network:
    """The network of a cell; its warnings are shown. Raises SpecError."""
    program = load(Source(f"%%cnn {name}", text))
    network, found = checked(program)
    if network is None:
        raise SpecError(found)
    if found:
        show(as_html.mistakes(found))
    return network
