"""Lints: warnings about designs that are valid but look like mistakes, with figures and a fix. A
rule is a pure function of a network (and of its receptive fields), linear in its size, that yields
a warning for each node it objects to; here each statement is warned about once, however often it is
executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ...dsl.diagnostics import Diagnostic
from ...dsl.gc_pause import gc_paused
from ..network import Network
from . import lint_depth, lint_maps, lint_order, lint_size, lint_values
from .field import Field, fields
from .fixed_size import FIXED_SIZE, fixed_size

Rule = Callable[[Network, list[Field]], Iterable[Diagnostic]]

RULES: dict[str, Rule] = {
    "small-field": lint_maps.small_field,
    "skipped-pixels": lint_maps.skipped_pixels,
    "dropped-remainder": lint_maps.dropped_remainder,
    "pool-of-one": lint_maps.pool_of_one,
    "double-activation": lint_order.double_activation,
    "bias-before-norm": lint_order.bias_before_norm,
    "dropout-last": lint_order.dropout_last,
    "dropout-before-norm": lint_order.dropout_before_norm,
    "wide-fc": lint_size.wide_fc,
    "argument-order": lint_size.argument_order,
    "turned-momentum": lint_values.turned_momentum,
    "vanishing-gradients": lint_depth.vanishing_gradients,
    FIXED_SIZE: fixed_size,
}
"""The rules, by warning code."""


@gc_paused()
def lint(network: Network, node_fields: list[Field] | None = None) -> list[Diagnostic]:
    """All warnings, sorted by place; `node_fields` are the receptive fields if known."""
    if node_fields is None:
        node_fields = fields(network)
    kept: dict[object, Diagnostic] = {}
    repeats: dict[object, int] = {}
    for code, rule in RULES.items():
        for warning in rule(network, node_fields):
            assert warning.code == code, warning.code
            assert warning.severity == "warning", warning.code
            span = warning.span
            key = (code, span and (span.source.name, span.start, span.end))
            if key in kept:
                repeats[key] = repeats.get(key, 0) + 1
            else:
                kept[key] = warning
    return [_counted(warning, repeats.get(key, 0)) for key, warning in kept.items()]


def _counted(warning: Diagnostic, repeats: int) -> Diagnostic:
    if not repeats:
        return warning
    layers = "layer" if repeats == 1 else "layers"
    note = f"the same is true of {repeats} more {layers} from this statement"
    return replace(warning, notes=(*warning.notes, note))
