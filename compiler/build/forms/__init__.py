"""Forms, which combine layers: residual, dense, gate, concat, split, output, aux, from, allow. A
form is a word with a body of its own kind. Each function of the table executes one, calling the
walker for its bodies, and returns its output node; None if an error inside has been reported.

residual.py    residual, dense, gate: what arrives and a body
paths.py       concat, inception, add, mul, maximum, list, split; layers with a body or paths
outputs.py     output, aux, allow: what arrives goes on unchanged
references.py  from, share, carry: by labels
common.py      what they share; different_shapes.py: the error where they cannot merge
"""

from __future__ import annotations

from collections.abc import Callable

from ....dsl.syntax import Call
from ...language.evaluate import Env
from ...language.signature import Signature
from ...network import Scope
from ..graph_builder import Arriving, GraphBuilder, MaybeNode
from ..initial import INIT, init
from .outputs import AUX, allow, aux, output
from .paths import list_, merge, split
from .references import carry, from_, share
from .residual import DENSE, GATE, RESIDUAL, dense, gate, residual

SIGNATURES: dict[str, Signature] = {
    signature.word: signature for signature in (RESIDUAL, AUX, INIT, DENSE, GATE)
}
"""Signatures of forms with named arguments, or without any; other forms read theirs themselves."""

Form = Callable[[GraphBuilder, str, Call, Scope, Env, MaybeNode], MaybeNode]
FORMS: dict[str, Form] = {
    "residual": residual,
    "dense": dense,
    "gate": gate,
    "split": split,
    "share": share,
}
"""Those that take one map."""

FormOfLists = Callable[[GraphBuilder, str, Call, Scope, Env, Arriving], Arriving]
FORMS_OF_LISTS: dict[str, FormOfLists] = {
    "inception": merge,
    "concat": merge,
    "add": merge,
    "mul": merge,
    "maximum": merge,
    "list": list_,
    "aux": aux,
    "output": output,
    "from": from_,
    "carry": carry,
    "allow": allow,
    "init": init,
}
"""Those at which a list of maps may arrive, too."""
