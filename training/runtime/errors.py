"""Explains errors of torch (out of memory, not deterministic, …) as diagnostics with help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...dsl.diagnostics import Diagnostic, SpecError
from .broken_connection import broken_connection
from .compiled import is_of_compiler
from .memory_errors import NotOneImage, is_out_of_memory
from .missing_operation import missing_operation
from .out_of_memory import Situation, out_of_memory, too_many_elements


@contextmanager
def explained(situation: Situation) -> Iterator[None]:
    """A context in which errors of torch that have an explanation become SpecErrors."""
    try:
        yield
    except SpecError:
        raise
    except Exception as error:
        explanation = explain_error(error, situation)
        if explanation is None:
            raise
        raise SpecError([explanation]) from None


def explain_error(error: Exception, situation: Situation) -> Diagnostic | None:
    """The diagnostic for an error in training; None if the error is unexpected, and so a bug."""
    train, device = situation.request.plan.train, situation.device
    text = str(error)
    first = text.strip().partition("\n")[0][:200]
    if is_out_of_memory(error):
        return out_of_memory(situation, not_one_image=isinstance(error, NotOneImage))
    if "canUse32BitIndexMath" in text or "fit into 32-bit index math" in text:
        return too_many_elements(situation)
    if "deterministic implementation" in text:
        return Diagnostic(
            "not-deterministic",
            f"a layer of this network is not deterministic in torch on {device.type}",
            train.deterministic.span,
            notes=(first,),
            help="remove `deterministic`, or train on the CPU",
        )
    if "more than 1 value per channel" in text:
        return Diagnostic(
            "batch-too-small",
            "a batch norm over 1x1 feature maps got a batch of one image, which has no variance",
            train.batch.place("size"),
            help=f"write `batch {max(8, 4 * situation.batch)}`, or remove the batch norm",
        )
    if is_of_compiler(error):
        return Diagnostic(
            "not-compiled",
            "torch cannot compile this network here",
            train.compile.span,
            notes=(first,),
            help="remove `compile`",
        )
    return missing_operation(error, device) or broken_connection(error)
