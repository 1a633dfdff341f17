"""Writes ONNX files, and runs them with onnxruntime."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import onnxscript.optimizer
import onnxscript.rewriter
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors
from onnxscript.rewriter.rules import common as rules
from torch import Tensor
from torch.export import ExportedProgram
from torch.onnx import OnnxExporterError, ONNXProgram

from ...dsl.diagnostics import Diagnostic, SpecError
from .onnx_operations import OPERATIONS

LARGEST = 2_000_000_000
"""The most bytes of weights in one file: protocol buffers are limited to 2 GiB."""

# Rules that simplify the graph without changing any number. The exporter's default rules also fold
# batch norms, in single precision; here that is done only on request, and the error is measured.
_RULES = [
    rules.cast_cast_rule, rules.collapse_slice_rule, rules.collapse_slice2_rule,
    rules.materialize_reshape_shape_rule, rules.no_op_cast_rule, rules.no_op_expand_rule,
    rules.no_op_transpose_rule, rules.reshape_reshape_rule, rules.slice_split_rule,
    rules.squeeze_reshape_1d_rule, rules.transpose_transpose_rule,
    rules.unsqueeze_unsqueeze_rule,
]  # fmt: skip


def write_onnx(
    program: ExportedProgram,
    file: Path,
    names: tuple[list[str], list[str]],
    opset: int,
    metadata: Mapping[str, str],
) -> None:
    """Writes a program as ONNX. Weights of more than 2 GB go into a second file, with `.data` after
    the name. Raises SpecError if an operation cannot be written in ONNX."""
    written = converted(program, names, opset)
    graph = written.model.graph
    # The exporter adds metadata: torch's operations, and the source files that they come from.
    graph.metadata_props.clear()
    for node in graph:
        node.metadata_props.clear()
    written.model.metadata_props.update(metadata)
    weights = [value.const_value for value in graph.initializers.values()]
    size = sum(weight.nbytes for weight in weights if weight is not None)
    written.save(file, external_data=size > LARGEST)
    try:
        onnx.checker.check_model(str(file), full_check=True)
    except onnx.checker.ValidationError as error:
        raise _problem("the result is not valid ONNX", _first_line(error)) from None


def converted(
    program: ExportedProgram,
    names: tuple[list[str], list[str]],
    opset: int,
    dynamic: Any = None,
) -> ONNXProgram:
    """A program as ONNX in memory. `dynamic` names the axes of the inputs that have any size; by
    default the batch. Raises SpecError if an operation cannot be written in ONNX."""
    dynamic = _dynamic(program, len(names[0])) if dynamic is None else dynamic
    try:
        with _quietly():
            result = torch.onnx.export(
                program,
                (),
                input_names=names[0],
                output_names=names[1],
                opset_version=opset,
                dynamic_shapes=dynamic,
                custom_translation_table=OPERATIONS,
                optimize=False,
                verbose=False,
            )
            assert result is not None
            onnxscript.optimizer.fold_constants(result.model)
            onnxscript.rewriter.rewrite(result.model, _RULES)
            onnxscript.optimizer.remove_unused_nodes(result.model)
    except OnnxExporterError as error:
        raise _cannot(error, program) from None
    return result


def _dynamic(program: ExportedProgram, count: int) -> Any:
    """The axis of the batch in each of the inputs; None if the size of the batch is fixed."""
    if not program.range_constraints:
        return None
    return [{0: "batch"}] * count


def _cannot(error: BaseException, program: ExportedProgram) -> SpecError:
    """The error for an operation that cannot be written: which one, of which layer, and why."""
    while error.__cause__ is not None:
        error = error.__cause__
    reason = _first_line(error)
    named = re.search(r"aten\.\w+", str(error))
    if named is None:
        return _problem("this network cannot be written as ONNX", reason)
    layer = next((_layer(node) for node in program.graph.nodes if named[0] in str(node.target)), "")
    whose = f", which {layer} uses" if layer else ""
    return _problem(f"torch's exporter cannot write {named[0]} as ONNX{whose}", reason)


def _layer(node: torch.fx.Node) -> str:
    """The name of the module that an operation belongs to."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


@contextmanager
def _quietly() -> Iterator[None]:
    """A context that silences the warnings and logs of the exporter."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


# ---- running it ----------------------------------------------------------------------------------


class Session:
    """Runs an ONNX file with onnxruntime."""

    def __init__(self, file: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only, which are raised as well
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self.session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except _REFUSALS as error:
            raise _problem(f"{RUNTIME} does not accept it", _first_line(error)) from None

    def __call__(self, *images: Tensor) -> Tensor | list[Tensor]:
        names = [each.name for each in self.session.get_inputs()]
        try:
            outputs = self.session.run(
                None, {name: each.numpy() for name, each in zip(names, images, strict=True)}
            )
        except _REFUSALS as error:
            raise _problem(f"{RUNTIME} does not run it", _first_line(error)) from None
        tensors = [torch.from_numpy(output) for output in outputs]
        return tensors[0] if len(tensors) == 1 else tensors


RUNTIME = f"onnxruntime {onnxruntime.__version__}"

_REFUSALS = (
    runtime_errors.Fail, runtime_errors.InvalidArgument, runtime_errors.InvalidGraph,
    runtime_errors.NotImplemented, runtime_errors.RuntimeException,
)  # fmt: skip


def _problem(message: str, reason: str) -> SpecError:
    return SpecError([Diagnostic("export-onnx", message, notes=(reason,))])


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
