"""Emitted text to a live module: what runs is what is read.

The text is executed as a module of its own, named for its contents, and `linecache` knows it: so
tracebacks, debuggers and `inspect.getsource` show its lines.
"""

from __future__ import annotations

import hashlib
import linecache
import sys
from types import ModuleType

from torch import nn


def as_module(source: str, name: str) -> ModuleType:
    """Emitted source as a Python module; the same source is the same module."""
    mark = hashlib.sha256(source.encode()).hexdigest()[:12]
    full = f"dotcnn.emitted.{name.lower()}_{mark}"
    known = sys.modules.get(full)
    if known is not None:
        return known
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


def live(source: str, name: str) -> nn.Module:
    """The network's module, its weights as they begin."""
    made: nn.Module = getattr(as_module(source, name), name)()
    return made
