"""Executes emitted source: the module that runs is the code that a user can read.

The source is executed as a Python module whose name contains a hash of it. It is registered with
`linecache`, so tracebacks, debuggers and `inspect.getsource` show its lines. It is checked first:
it may define modules and do nothing else.
"""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from torch import nn

from ...compiler.emit import emit
from ...compiler.emit.allowed import check
from ...compiler.emit.module import import_lines, plugin_imports
from ...compiler.network import Network


def live(network: Network, version: str) -> nn.Module:
    """A network as a torch module with initial weights."""
    imports = import_lines(plugin_imports(network))
    return construct(emit(network, version), network.name, imports)


def taking_samples(module: nn.Module, network: Network) -> nn.Module:
    """The module of a network with several inputs, which then also takes samples of its data: the
    channels of all inputs one after the other."""
    channels = [node.shape[0] for node in network.inputs]

    def divide(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return given[0].split(channels, 1) if len(given) == 1 else given

    if len(channels) > 1:
        module.register_forward_pre_hook(divide)
    return module


def construct(source: str, name: str, imports: Sequence[str] = ()) -> nn.Module:
    """An instance of the network in emitted source, which is its last class; `imports` are the
    lines that it may have to import from plug-ins."""
    module = as_module(source, name, imports)
    classes = [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, nn.Module)
        and each.__module__ == module.__name__
    ]
    network: nn.Module = classes[-1]()
    return network


def as_module(source: str, name: str, imports: Sequence[str] = ()) -> ModuleType:
    """Emitted source as a Python module; the same source gives the same module."""
    # A plug-in that was loaded again is another module: the same text means other classes.
    plugins = [str(id(sys.modules.get(line.split()[1]))) for line in imports]
    mark = hashlib.sha256("\n".join([source, *plugins]).encode()).hexdigest()[:12]
    full = f"dotcnn.emitted.{name.lower()}_{mark}"
    known = sys.modules.get(full)
    if known is not None:
        return known
    check(source, imports)
    file = f"<{full}>"
    module = ModuleType(full)
    module.__file__ = file
    code = compile(source, file, "exec", dont_inherit=True)
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    sys.modules[full] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        del sys.modules[full]
        raise
    return module
