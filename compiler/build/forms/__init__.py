"""Forms, which combine layers: residual, dense, gate, concat, split, output, aux, from, allow. A
form is a word with a body of its own kind. Each function of the table executes one, calling the
walker for its bodies, and returns its output node; None if an error inside has been reported.

residual.py    residual, dense, gate: what arrives and a body
paths.py       concat, inception, add, mul, maximum, split; layers with a body or paths
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
from ..graph_builder import GraphBuilder, MaybeNode
from ..initial import INIT, init
from .outputs import AUX, allow, aux, output
from .paths import merge, split
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
    "inception": merge,
    "concat": merge,
    "add": merge,
    "mul": merge,
    "maximum": merge,
    "split": split,
    "aux": aux,
    "output": output,
    "share": share,
    "from": from_,
    "carry": carry,
    "allow": allow,
    "init": init,
}
