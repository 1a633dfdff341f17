"""Reads .pt2 files, as torch.export writes them, without torch.export: loading with it unpickles
inputs and can create objects of any class. The graph is JSON, and the weights are raw numbers.

Sizes are not taken from the file: the functions of the graph are run on tensors without values. If
the file leaves the number of images open, that is chosen so that it is known again in a shape. The
same steps, with values, are the original that the spec is held against.
"""

from __future__ import annotations

import json
import math
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from ...compiler.importing.graph import Graph
from ...compiler.importing.readers import Given
from ...compiler.importing.tensors.compose import graph_of
from ...dsl.diagnostics import Diagnostic, SpecError
from ..untrusted.bad_file import BadFile, damaged, guarded, too_large
from ..untrusted.json_text import load_json
from ..untrusted.open_file import open_regular
from ..untrusted.zip_archive import open_zip, read_member
from .aten import known, program_of
from .aten_graph import AtenGraph, Held, Out, Ref, Step, function_of
from .exported_module import free_batch
from .training_mode import counts_batches, of_evaluation

MAX_NUMBERS = 2**30
"""Of a tensor of the graph."""
MAX_STEPS = 100_000

_DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64,
    6: torch.float16, 7: torch.float32, 8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
"""By torch's numbers for them in files."""


def read_pt2(given: Given) -> Graph:
    try:
        with open_regular(given.name) as file, open_zip(file) as archive:
            parts = _Archive(file, archive)
            with guarded("its graph is not as torch.export writes it"):
                saved = _Saved(parts, given)
    except BadFile as error:
        message = f"{given.name} {error}"
        raise SpecError([Diagnostic("import", message, file=given.name, help=error.help)]) from None
    graph = saved.graph()
    read = graph_of(program_of(graph))
    saved.order = [each.name for each in read.outputs]
    return read._replace(run=saved.run, double=True)


class _Entry(NamedTuple):
    """A function of the graph as the file has it."""

    target: str
    arguments: Mapping[str, Any]
    outputs: list[Any]
    """Names; a list of names for a function that gives a list."""
    path: str


# ---- the archive ---------------------------------------------------------------------------------


class _Archive:
    """Its JSON and its tensors."""

    def __init__(self, file: BinaryIO, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        names = archive.namelist()
        models = [name for name in names if name.endswith(".json") and "/models/" in name]
        if not models:
            old = any(name.endswith("serialized_exported_program.json") for name in names)
            if old:
                help = "load it with that torch, and save it again with a newer one"
                raise BadFile("was written by torch 2.8 or an older one", "kind", help)
            raise damaged("it was not written by torch.export.save")
        if len(models) > 1:
            raise BadFile("has several models, and one can be imported", "kind")
        self.root, _, rest = models[0].rpartition("/models/")
        self.model = self._json(f"{self.root}/models/{rest}")
        name = rest.removesuffix(".json")
        order = read_member(archive, f"{self.root}/byteorder", 16).decode("latin1")
        if order.strip() != sys.byteorder:
            message = f"has numbers in {order.strip()}-endian order, unlike this machine"
            raise BadFile(message, "kind")
        self.weights = self._tensors(f"data/weights/{name}_weights_config.json", "data/weights")
        self.constants = self._tensors(
            f"data/constants/{name}_constants_config.json", "data/constants"
        )

    def _json(self, name: str) -> Any:
        with guarded(f"{name} in it is broken"):
            return load_json(read_member(self.archive, name).decode("utf-8"))

    def _tensors(self, config: str, folder: str) -> dict[str, tuple[Tensor, str]]:
        """Tensors by their names, each with the member that it is in."""
        tensors: dict[str, tuple[Tensor, str]] = {}
        read: dict[str, bytearray] = {}
        sizes = {each.filename: each.file_size for each in self.archive.infolist()}
        with guarded(f"{config} in it is broken"):
            for name, entry in self._json(f"{self.root}/{config}")["config"].items():
                if entry["use_pickle"]:
                    raise BadFile(f"has `{name}` as a pickle, which is not opened", "code")
                member = f"{self.root}/{folder}/{entry['path_name']}"
                if member not in read:
                    data = read_member(self.archive, member, sizes.get(member, 0))
                    read[member] = bytearray(data)
                tensors[name] = _tensor(read[member], entry["tensor_meta"]), member
        return tensors


def _tensor(data: bytearray, meta: Any) -> Tensor:
    """A tensor over the bytes of a member; raises BadFile if it goes beyond them."""
    if meta["dtype"] not in _DTYPES:
        raise BadFile("has numbers of an unsupported type", "kind")
    dtype = _DTYPES[meta["dtype"]]
    sizes = [each["as_int"] for each in meta["sizes"]]
    strides = [each["as_int"] for each in meta["strides"]]
    start = meta["storage_offset"]["as_int"]
    known = [*sizes, *strides, start]
    if len(sizes) != len(strides) or not all(type(n) is int and 0 <= n < 2**40 for n in known):
        raise damaged("a tensor in it has an impossible shape")
    count = len(data) // dtype.itemsize
    last = start + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    numbers = math.prod(sizes)
    if numbers > max(count, 1) or (numbers and last >= count):
        raise damaged("a tensor in it goes beyond its storage")
    if not numbers:
        return torch.empty(sizes, dtype=dtype)
    numbers_of = torch.frombuffer(data, dtype=dtype, count=count)
    return numbers_of.as_strided(sizes, strides, start)


# ---- the graph -----------------------------------------------------------------------------------


class _Saved:
    """The graph of a file, which can be run."""

    def __init__(self, archive: _Archive, given: Given) -> None:
        self.name = Path(given.name).stem
        module = archive.model["graph_module"]
        graph = module["graph"]
        self.held: dict[str, Held] = {}
        self.input = ""
        first: dict[str, str] = {}
        for spec in module["signature"]["input_specs"]:
            ((kind, entry),) = spec.items()
            self._hold(kind, entry, archive, first)
        if not self.input:
            raise damaged("its graph has no input")
        if len(graph["nodes"]) > MAX_STEPS:
            raise too_large(f"has more than {MAX_STEPS:,} functions")
        self.entries = [self._entry(node) for node in graph["nodes"]]
        told = graph["tensor_values"]
        self.told = {name: _told(meta) for name, meta in told.items()}
        sizes = told[self.input]["sizes"]
        self.dtype = _DTYPES.get(told[self.input]["dtype"], torch.float32)
        self.shape = given.input_shape or self.told[self.input][1:]
        self.open = "as_expr" in sizes[0]
        """Whether it takes any number of images."""
        self.batch = self._batch() if self.open else self.told[self.input][0]
        self._refuse_state(module)
        self.results = list(_results(module))
        self.order: list[str] = []
        """Names of the outputs as they are compared."""
        self.last = self._last_uses()

    def _hold(self, kind: str, entry: Any, archive: _Archive, first: dict[str, str]) -> None:
        if kind == "user_input":
            if "as_tensor" not in entry["arg"] or self.input:
                raise BadFile("takes several inputs, and one can be imported", "kind")
            self.input = entry["arg"]["as_tensor"]["name"]
            return
        keys = {"parameter": "parameter_name", "buffer": "buffer_name"}
        name = entry.get(keys.get(kind, "tensor_constant_name"))
        found = archive.weights.get(name) or archive.constants.get(name)
        if found is None:
            raise damaged(f"`{name}` is missing in it")
        tensor, member = found
        called = first.setdefault(f"{member} {tuple(tensor.shape)}", name)
        self.held[entry["arg"]["name"]] = Held(tensor, called, kind == "parameter")

    def _entry(self, node: Any) -> _Entry:
        arguments = {each["name"]: _argument(each["arg"]) for each in node["inputs"]}
        stack = node["metadata"].get("nn_module_stack", "").rpartition(";")[2].split(",")
        path = stack[1].partition("@")[0] if len(stack) > 1 else ""
        path = "" if path.startswith("_empty_nn_module_stack") else path
        target = node["target"].removeprefix("torch.ops.")
        return _Entry(target, arguments, [_output(each) for each in node["outputs"]], path)

    def _batch(self) -> int:
        """How many images are run, where any number may be."""
        sizes = {side for held in self.held.values() for side in held.value.shape} | {*self.shape}
        return free_batch(sizes)

    def _refuse_state(self, module: Any) -> None:
        for spec in module["signature"]["output_specs"]:
            ((kind, entry),) = spec.items()
            name = str(entry.get("buffer_name", ""))
            counted = name.endswith(("num_batches_tracked", "running_mean", "running_var"))
            if kind != "user_output" and not counted:
                raise BadFile(f"changes `{name or kind}` when it runs", "kind")

    # ---- what a reader makes of it ----

    def graph(self) -> AtenGraph:
        """Its steps, with the shapes that they come to."""
        steps: list[Step] = []
        images = torch.empty(self.batch, *self.shape, dtype=self.dtype, device="meta")
        for entry, given, values in self._walk(images, lambda each: each.to("meta")):
            outputs = [Out(name, _shape(values.get(name))) for name in _names(entry.outputs)]
            several = len(entry.outputs) != 1 or isinstance(entry.outputs[0], list)
            if any(isinstance(values.get(out.name), Tensor) for out in outputs):
                steps.append(Step(entry.target, given, outputs, entry.path, several))
        inputs = [Out(self.input, (self.batch, *self.shape))]
        graph = AtenGraph(self.name, inputs, self.held, steps, self.results, self.batch)
        kept = [of_evaluation(each) for each in steps if not counts_batches(each, graph)]
        return graph._replace(steps=kept)

    def run(self, batches: Sequence[Any]) -> list[Any]:
        """The outputs, computed as precisely as the input is."""
        images = torch.from_numpy(batches[0])
        size = len(images) if self.open else self.batch
        found: list[list[Tensor]] = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            filled = torch.cat([part, part[-1:].expand(size - len(part), *part.shape[1:])])
            with torch.no_grad():
                walk = self._walk(filled, lambda each: _as(each, images.dtype))
                *_, (_, _, values) = walk
            by_name = {called: values[name][: len(part)] for name, called in self.results}
            found.append([by_name[name] for name in self.order])
        return [torch.cat(each) for each in zip(*found, strict=True)]

    def _walk(
        self, images: Tensor, moved: Callable[[Tensor], Tensor]
    ) -> Iterator[tuple[_Entry, dict[str, Any], dict[str, Any]]]:
        """Runs the functions one after the other; gives each with its arguments, all but tensors in
        the place of their names, and the values that are there after it."""
        values: dict[str, Any] = {self.input: images}
        values |= {name: moved(held.value.detach()) for name, held in self.held.items()}
        for number, entry in enumerate(self.entries):
            call, given = _callable(entry)
            step = of_evaluation(Step(entry.target, given, [], entry.path))
            numbers = {name: _valued(each, values, False) for name, each in step.arguments.items()}
            tensors = {name: _valued(each, values, True) for name, each in numbers.items()}
            if images.is_meta and "device" in tensors:
                tensors["device"] = images.device
            _store(entry.outputs, self._made(entry, call, tensors), values)
            yield entry, numbers, values
            for name in self.last.get(number, ()):
                values.pop(name, None)

    def _last_uses(self) -> dict[int, list[str]]:
        """By the number of a function: what nothing reads after it."""
        last: dict[str, int] = {}
        for number, entry in enumerate(self.entries):
            last |= dict.fromkeys(_names(entry.outputs), number)
            used = [each.name for each in _flat([*entry.arguments.values()])
                    if isinstance(each, Ref | _Symbol)]  # fmt: skip
            last |= dict.fromkeys(used, number)
        for name, _ in self.results:
            last.pop(name, None)
        after: dict[int, list[str]] = {}
        for name, number in last.items():
            after.setdefault(number, []).append(name)
        return after

    def _made(self, entry: _Entry, call: Any, arguments: dict[str, Any]) -> Any:
        """What a function gives. One that is not known is not run: its shapes are the file's."""
        tensors = [each for value in arguments.values() for each in _flat(value)
                   if isinstance(each, Tensor)]  # fmt: skip
        harmless = bool(tensors) and all(each.is_meta for each in tensors)
        if call is not None and (harmless or known(entry.target) or _sizes(entry)):
            try:
                made = call(**arguments)
            except Exception as error:  # noqa: BLE001 - a file may give any arguments
                first = str(error).partition("\n")[0][:200]
                raise self._cannot(entry, first) from None
            large = [each for each in _flat(made) if isinstance(each, Tensor)]
            if any(each.numel() > MAX_NUMBERS for each in large):
                raise self._cannot(entry, f"it gives more than {MAX_NUMBERS:,} numbers")
            return made
        empty = [[self._told(one) for one in _names([each])] for each in entry.outputs]
        given = [
            each if isinstance(name, list) else each[0]
            for each, name in zip(empty, entry.outputs, strict=True)
            if each
        ]
        return given[0] if len(given) == 1 else tuple(given)

    def _told(self, name: str) -> Tensor:
        """A tensor of the shape that the file says."""
        return torch.empty(self.told.get(name, ()), device="meta")

    def _cannot(self, entry: _Entry, why: str) -> SpecError:
        where = f"`{entry.path}`: " if entry.path else ""
        message = f"{where}`{function_of(entry.target)}` cannot be followed: {why}"
        return SpecError([Diagnostic("import", message, file=self.name)])


def _as(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor.clone()


def _told(meta: Any) -> tuple[int, ...]:
    """A shape as the file has it; where a size is open, that of the example."""
    sizes = [each["as_int"] if "as_int" in each else each["as_expr"]["hint"]["as_int"]
             for each in meta["sizes"]]  # fmt: skip
    if not all(type(each) is int and 0 <= each < MAX_NUMBERS for each in sizes):
        raise damaged("a tensor in it has an impossible shape")
    return tuple(sizes)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple) and not isinstance(value, Ref | _Symbol):
        for each in value:
            yield from _flat(each)
    else:
        yield value


# ---- one function --------------------------------------------------------------------------------


class _Symbol(NamedTuple):
    """A size that a function before computes."""

    name: str


_PLAIN = ("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string",
          "as_strings", "as_int_lists")  # fmt: skip


def _argument(given: Any) -> Any:
    ((kind, value),) = given.items()
    match kind:
        case _ if kind in _PLAIN:
            return value
        case "as_none" | "as_memory_format" | "as_layout":
            return None
        case "as_tensor":
            return Ref(value["name"])
        case "as_tensors":
            return [Ref(each["name"]) for each in value]
        case "as_optional_tensors":
            return [_argument(each) for each in value]
        case "as_optional_tensor":
            return _argument(value)
        case "as_sym_int" | "as_sym_float" | "as_sym_bool":
            return _Symbol(value["as_name"]) if "as_name" in value else next(iter(value.values()))
        case "as_sym_ints" | "as_sym_floats":
            return [_argument({"as_sym_int": each}) for each in value]
        case "as_scalar_type":
            if value not in _DTYPES:
                raise BadFile("has numbers of an unsupported type", "kind")
            return _DTYPES[value]
        case "as_device":
            return None
    raise BadFile(f"has an argument of an unsupported kind, `{str(kind)[:40]}`", "kind")


def _output(given: Any) -> Any:
    ((kind, value),) = given.items()
    if kind in ("as_tensor",):
        return value["name"]
    if kind == "as_tensors":
        return [each["name"] for each in value]
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return value.get("as_name", "")
    if kind == "as_none":
        return ""
    raise BadFile(f"has an output of an unsupported kind, `{str(kind)[:40]}`", "kind")


def _names(outputs: Sequence[Any]) -> list[str]:
    return [each for each in _flat(outputs) if each]


_NUMBERS: Mapping[str, Callable[..., Any]] = {
    "_operator.add": lambda a, b: a + b, "_operator.sub": lambda a, b: a - b,
    "_operator.mul": lambda a, b: a * b, "_operator.floordiv": lambda a, b: a // b,
    "_operator.mod": lambda a, b: a % b, "_operator.neg": lambda a: -a,
    "_operator.truediv": lambda a, b: a / b, "torch.sym_int": int, "torch.sym_float": float,
    "_operator.eq": lambda a, b: a == b, "_operator.ge": lambda a, b: a >= b,
    "_operator.le": lambda a, b: a <= b, "_operator.gt": lambda a, b: a > b,
    "_operator.lt": lambda a, b: a < b, "_operator.ne": lambda a, b: a != b,
}  # fmt: skip
"""What is computed of sizes."""

_NOTHING = ("sym_constrain_range", "sym_constrain_range_for_size", "_assert_scalar",
            "_assert_tensor_metadata", "_assert_async")  # fmt: skip


def _callable(entry: _Entry) -> tuple[Any, Mapping[str, Any]]:
    """The function of ATen with all its arguments; None if it is none of ATen's."""
    if entry.target in _NUMBERS:
        function = _NUMBERS[entry.target]
        return lambda **given: function(*given.values()), entry.arguments
    space, _, rest = entry.target.partition(".")
    name, _, overload = rest.partition(".")
    mine = space == "aten" and name.isidentifier()
    packet = getattr(torch.ops.aten, name, None) if mine else None
    call = getattr(packet, overload, None)
    if name in _NOTHING:
        return lambda **given: None, entry.arguments
    if not isinstance(call, torch._ops.OpOverload):
        return None, entry.arguments
    given = {
        each.name: entry.arguments.get(each.name, each.default_value)
        for each in call._schema.arguments
    }
    return call, given


def _sizes(entry: _Entry) -> bool:
    """Whether it computes sizes of tensors, or nothing."""
    sizes = ("sym_size", "sym_numel", "sym_stride", *_NOTHING)
    return entry.target in _NUMBERS or function_of(entry.target) in sizes


def _valued(given: Any, values: Mapping[str, Any], tensors: bool) -> Any:
    """An argument with sizes, or tensors, in the place of their names."""
    if isinstance(given, Ref) and tensors:
        return values[given.name]
    if isinstance(given, _Symbol):
        return values[given.name]
    if isinstance(given, list) and not isinstance(given, Ref):
        return [_valued(each, values, tensors) for each in given]
    return given


def _store(outputs: Sequence[Any], made: Any, values: dict[str, Any]) -> None:
    if len(outputs) == 1:
        made = [made] if not isinstance(made, tuple) or isinstance(outputs[0], list) else made
    for output, value in zip(outputs, made if isinstance(made, list | tuple) else [made],
                             strict=False):  # fmt: skip
        if isinstance(output, list):
            values.update(zip(output, value, strict=True))
        elif output:
            values[output] = value


# ---- its results ---------------------------------------------------------------------------------


def _results(module: Any) -> Iterator[tuple[str, str]]:
    """Each with the name that it has for the user."""
    names = iter(_places(module))
    for spec in module["signature"]["output_specs"]:
        ((kind, entry),) = spec.items()
        if kind != "user_output":
            continue
        called = next(names, "")
        if "as_tensor" in entry["arg"]:
            called = f"output{called}" if called[:1].isdigit() else called
            yield entry["arg"]["as_tensor"]["name"], called
        elif "as_none" not in entry["arg"]:
            raise BadFile("gives something else than tensors", "kind")


def _places(module: Any) -> list[str]:
    """Where each result is in the dict or tuple that the module gives."""
    for entry in module["module_call_graph"]:
        signature = entry.get("signature")
        if entry["fqn"] == "" and signature:
            return list(_leaves(json.loads(signature["out_spec"])[1], ()))
    return []


def _leaves(spec: Any, path: tuple[str, ...]) -> Iterator[str]:
    if spec["type"] is None:
        yield ".".join(path)
        return
    inner = spec["children_spec"]
    names = json.loads(spec["context"]) if spec["type"].endswith("ict") else None
    if not isinstance(names, list) or len(names) != len(inner):
        names = range(len(inner))
    for name, each in zip(names, inner, strict=True):
        yield from _leaves(each, (*path, str(name)))
