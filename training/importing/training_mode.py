"""What a module does in training only, beside what dropping.py knows: auxiliary heads, and paths
that a function drops at random. They are taken from a graph of the training mode, if what that
computes is otherwise the network of the evaluation mode.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from torch import Tensor, nn

from ...compiler.importing.tensors.program import Call, Constant, Operand, Program, Result
from ...dsl.diagnostics import SpecError
from .aten import program_of
from .aten_graph import AtenGraph, Ref, Step, function_of
from .lowering import used

USUAL = 0.3
"""The weight of an auxiliary loss, as GoogLeNet has it. It belongs to the code that trains."""


def minds_training(module: nn.Module) -> bool:
    """Whether the code of a module that is not torch's own asks in which mode it is."""
    kinds = {type(part) for part in module.modules() if "forward" not in vars(part)}
    classes = {each for kind in kinds for each in kind.__mro__}
    return any(
        "training" in getattr(getattr(member, "__code__", None), "co_names", ())
        for each in classes
        if not each.__module__.startswith("torch.nn")
        for member in vars(each).values()
    )


def with_training(program: Program, exported: Callable[[], AtenGraph]) -> Program:
    """The program with the results that the training mode adds, and what drops in it."""
    try:
        training = _with_droppath(program_of(_quiet(exported())))
    except SpecError:  # it depends on random numbers, say
        return program
    known = _keys(program)
    own = _keys(training)
    mains = [known[id(each.call)] for each in program.results]
    found = {own[id(each.call)]: each for each in training.results}
    if not all(main in found for main in mains):
        said = "what it computes otherwise in training"
        return program._replace(remarks=[*program.remarks, said])
    more = [each for key, each in found.items() if key not in mains]
    if not more and len(training.calls) == len(program.calls):
        return program
    results = [Result(each.call, each.name.replace("output", "aux"), USUAL) for each in more]
    results += [found[main]._replace(name=each.name)
                for main, each in zip(mains, program.results, strict=True)]  # fmt: skip
    return training._replace(results=results, remarks=program.remarks)


def _with_droppath(program: Program) -> Program:
    """Paths that are dropped: the images are multiplied by a random mask, one number for each, and
    divided by the part that is kept."""
    same: dict[int, Call] = {}
    for call in program.calls:
        call.operands = tuple([same.get(id(each), each) for each in call.operands])
        if call.function != "mul":
            continue
        for x, mask in (call.operands, call.operands[::-1]):
            (x, by_x), (mask, by_mask) = _divided(x), _divided(mask)
            kept = _kept(mask, program.batch)
            if not isinstance(x, Call) or not kept or {by_x, by_mask} != {kept, 1.0}:
                continue
            if kept == 1:
                same[id(call)] = x
            else:
                call.function, call.operands = "droppath", (x,)
                call.settings = {"p": round(1 - kept, 12)}
            break
    results = [each._replace(call=same.get(id(each.call), each.call)) for each in program.results]
    calls = used(program.calls, [each.call for each in results])
    return program._replace(calls=calls, results=results)


def _divided(operand: Operand) -> tuple[Operand, float]:
    """A tensor without the number that it is divided by."""
    if isinstance(operand, Call) and operand.function == "div":
        over, under = operand.operands
        if isinstance(under, float):
            return over, under
    return operand, 1.0


def _kept(mask: Operand, batch: int) -> float | None:
    """The part of the images that a random mask keeps; None if it is not one."""
    if not isinstance(mask, Call) or mask.shape != (batch, *(1,) * (len(mask.shape) - 1)):
        return None
    if mask.function == "bernoulli":
        kept: float | None = mask.settings["p"]
        return kept
    if mask.function != "floor" or not isinstance(mask.operands[0], Call):
        return None
    two = mask.operands[0].operands
    random = any(isinstance(each, Call) and each.function == "rand" for each in two)
    return next((each for each in two if isinstance(each, float) and random), None)


def _quiet(graph: AtenGraph) -> AtenGraph:
    """Without what batch norms do in training."""
    return graph._replace(steps=[of_evaluation(each) for each in graph.steps if not
                                 counts_batches(each, graph)])  # fmt: skip


def of_evaluation(step: Step) -> Step:
    """A step as it is in the evaluation mode."""
    given = step.arguments
    mode = _MODE_OF.get(function_of(step.target), "")
    if mode not in given or ("running_mean" in given and given["running_mean"] is None):
        return step
    return step._replace(arguments={**given, mode: False})


_MODE_OF = {
    "batch_norm": "training", "dropout": "train", "feature_dropout": "train",
    "alpha_dropout": "train", "feature_alpha_dropout": "train", "native_dropout": "train",
    "native_batch_norm": "training",
}  # fmt: skip
"""What each function calls the mode."""


def counts_batches(step: Step, graph: AtenGraph) -> bool:
    """Whether it counts the batches of a batch norm."""
    first = next(iter(step.arguments.values()), None)
    if not isinstance(first, Ref) or first.name not in graph.held:
        return False
    return graph.held[first.name].name.endswith("num_batches_tracked")


_DROPS = ("dropout", "dropout2d", "droppath")


def _keys(program: Program) -> dict[int, int]:
    """What each call computes when nothing is dropped, by its identity."""
    keys: dict[int, int] = {}

    def key(operand: Operand) -> Hashable:
        if isinstance(operand, Call):
            return keys[id(operand)]
        if isinstance(operand, Constant):  # a computed one has another name in each graph
            value = operand.value
            assert isinstance(value, Tensor)
            return operand.shape, float(value.detach().sum())
        return operand

    for call in program.calls:
        operands = tuple([key(each) for each in call.operands])
        if call.function in _DROPS:
            keys[id(call)] = keys[id(call.operands[0])]
        else:
            settings = tuple([(name, str(value)) for name, value in call.settings.items()])
            keys[id(call)] = hash((call.function, operands, settings, call.shape))
    return keys
