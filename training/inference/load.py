"""Emitted text to a live module: what runs is what is read.

The text is executed as a module of its own, named for its contents, and `linecache` knows it: so
tracebacks, debuggers and `inspect.getsource` show its lines. Before that, it is looked at once
more: it may define modules and do nothing else.
"""

from __future__ import annotations

import hashlib
import linecache
import sys
from types import ModuleType

from torch import nn

from ...compiler.emit import emit
from ...compiler.emit.allowed import check
from ...compiler.network import Network


def live(network: Network, version: str) -> nn.Module:
    """A network as a torch module, its weights as they begin."""
    return construct(emit(network, version), network.name)


def construct(source: str, name: str) -> nn.Module:
    """The network of emitted source, which is its last class."""
    module = as_module(source, name)
    classes = [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, nn.Module)
        and each.__module__ == module.__name__
    ]
    made: nn.Module = classes[-1]()
    return made


def as_module(source: str, name: str) -> ModuleType:
    """Emitted source as a Python module; the same source is the same module."""
    mark = hashlib.sha256(source.encode()).hexdigest()[:12]
    full = f"dotcnn.emitted.{name.lower()}_{mark}"
    known = sys.modules.get(full)
    if known is not None:
        return known
    check(source)
    file = f"<{full}>"
    made = ModuleType(full)
    made.__file__ = file
    code = compile(source, file, "exec", dont_inherit=True)
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    sys.modules[full] = made
    try:
        exec(code, made.__dict__)
    except BaseException:
        del sys.modules[full]
        raise
    return made
