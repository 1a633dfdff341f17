"""`same`: every directive and every operation, on the CPU and on the device, in every precision.

The reference for an operation is float64 on the CPU: outputs, gradients of inputs and weights, and
the buffers after a step. Its inputs are numbers that bf16 represents exactly, and no two of them
that meet in a window are equal, so that a maximum is the same in every precision.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dotcnn.compiler.plan.directive import Directive
from dotcnn.compiler.plan.fusion import fuse
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.testing.built import Built, build
from dotcnn.training.augment import Augmenter
from dotcnn.training.augment.noise_table import NoiseTable
from dotcnn.training.augment.random_numbers import Draws, Layout

from .cases import (
    CLASSES,
    Case,
    augmentation,
    augmentation_cases,
    directives,
    operation_cases,
    operation_words,
)
from .check import Check, Facts, Failed, Setting, Skipped, require
from .training import NETWORK, distance, images, trained


def checks(setting: Setting) -> Iterator[Check]:
    # cuBLAS is deterministic only if this is set before it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    yield Check("random numbers", "draws", partial(same_draws, setting))
    for kind in directives("augment"):
        yield Check("augmentation", kind.word, partial(same_augmentation, kind, setting))
    yield Check("augmentation", "all together", partial(same_together, setting))
    for word in operation_words():
        yield Check("operations", word, partial(same_operation, word, setting))
    for section in ("train", "evaluate", "transfer"):
        for kind in directives(section):
            if not kind.word.startswith("data "):
                run = partial(same_training, section, kind, setting)
                yield Check("training", f"{section}: {kind.shown()}", run)
    for word in operation_words():
        yield Check("2^31 elements", word, partial(large_operation, word, setting))


# ---- augmentation --------------------------------------------------------------------------------

_SIZE = 32
_LEVELS = 1.01
"""Numbers that differ by more levels (of 255) than this are counted: rounding can move a number to
the next level."""
_RARE = 2e-3
"""Their share may be this: where a number lies at a threshold, rounding decides."""
_CLOSE = 0.02
"""The mean difference, in levels."""


def same_draws(setting: Setting) -> Facts:
    """Random numbers and noise are equal to the bit."""
    layout = Layout()
    for number in range(40):
        layout.reserve(number, 0, 30)
    indices = torch.cat([torch.arange(3000), torch.arange(2**40, 2**40 + 500)])
    count = 0
    for seed, epoch in ((0, 0), (1, 7), (2**31, 1000), (12345, 2)):
        draws = [
            Draws(layout, seed)(epoch, indices.to(device)).cpu()
            for device in ("cpu", setting.device)
        ]
        require(torch.equal(*draws), f"seed {seed}, epoch {epoch}: draws differ")
        count += draws[0].numel()
    for kind in ("normal", "uniform"):
        uniform = torch.linspace(1e-6, 1 - 1e-6, 64)
        rows = [
            NoiseTable(3, kind).rows(uniform.to(device), 3072).cpu()  # type: ignore[arg-type]
            for device in ("cpu", setting.device)
        ]
        require(torch.equal(*rows), f"{kind} noise differs")
    return {"cases": 4, "numbers": count}


def same_augmentation(kind: type[Directive], setting: Setting) -> Facts:
    facts: dict[str, Any] = {"cases": 0, "mean difference": 0.0, "share that differs": 0.0}
    for lines, plan in augmentation_cases(kind, _SIZE, 1 if setting.small else 3):
        _compare(lines, plan, setting.device, facts)
    return facts


def same_together(setting: Setting) -> Facts:
    """All directives in one section, twice; those that set the size come first."""
    kinds = directives("augment")
    sizing = [kind for kind in kinds if getattr(kind, "sets_size", False)]
    others = [kind.shown() for kind in kinds if kind not in sizing]
    facts: dict[str, Any] = {"cases": 0, "mean difference": 0.0, "share that differs": 0.0}
    for order in (others, others[::-1]):
        lines = ", ".join([f"crop {_SIZE} pad=4", *order])
        try:
            plan = augmentation(lines, _SIZE)
        except SpecError as error:
            raise Skipped(error.diagnostics[0].message) from None
        # Each rounding can be amplified by what follows.
        _compare(lines, plan, setting.device, facts, times=10)
    return facts


def _compare(lines: str, plan: Any, device: str, facts: dict[str, Any], times: float = 1) -> None:
    """Compares what the directives do to a batch on both devices; the worst figures are kept."""
    fusion = fuse(plan)
    height, width = fusion.input_size
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (12, 3, height, width), dtype=torch.uint8, generator=random)
    results = []
    for where in ("cpu", device):
        plain = (torch.ones(3), torch.zeros(3))
        augment = Augmenter(fusion, plain, seed=5, classes=CLASSES)
        indices = torch.arange(12 + augment.guests) % 12
        given, labels = pixels[indices].to(where), (indices % CLASSES).to(where)
        results.append(augment(given, labels, indices, 1))
    (one, shares), (other, other_shares) = results
    require(one.shape == other.shape, f"{lines}: shapes {one.shape} and {other.shape}")
    off = (one - other.cpu()).abs()
    mean, share = float(off.mean()), float((off > _LEVELS).float().mean())
    facts["cases"] += 1
    facts["mean difference"] = max(facts["mean difference"], mean)
    facts["share that differs"] = max(facts["share that differs"], share)
    require(bool(other.isfinite().all()), f"{lines}: not finite", facts)
    close = torch.allclose(shares.float(), other_shares.cpu().float(), atol=1e-5)
    require(close, f"{lines}: labels differ", facts)
    holds = mean <= _CLOSE * times and share <= _RARE * times
    require(holds, f"{lines}: {mean:.3g} levels on average, {share:.2%} by more than one", facts)


# ---- operations ----------------------------------------------------------------------------------

_PRECISIONS: dict[str, tuple[torch.dtype | None, float, float]] = {
    "fp32": (None, 2e-5, 1e-4),
    "bf16": (torch.bfloat16, 2e-2, 6e-2),
    "fp16": (torch.float16, 4e-3, 2e-2),
}
"""The dtype of autocast; how far outputs, and gradients, may be from float64, relative to its norm.
"""
_WORSE = 4.0
"""… or this times as far as those of the CPU in the same precision."""

Results = Mapping[str, Tensor]


def same_operation(word: str, setting: Setting) -> Facts:
    """The worst error of outputs and gradients in each precision, over all cases."""
    facts: dict[str, Any] = {"cases": 0}
    for precision in _PRECISIONS:
        facts[precision] = facts[f"{precision} gradients"] = 0.0
    tf32 = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        for case in operation_cases(word, 0 if setting.small else 2):
            facts["cases"] += 1
            _compare_operation(case, setting.device, facts)
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32
    return facts


def _compare_operation(case: Case, device: str, facts: dict[str, Any]) -> None:
    torch.manual_seed(0)
    state = build(case.op, *case.shapes).state()
    inputs = [_numbers((2, *shape), number) for number, shape in enumerate(case.shapes)]
    random = _is_random(case, state, inputs)
    facts["random"] = "evaluation only" if random else ""
    for precision, (dtype, bound, gradient_bound) in _PRECISIONS.items():
        rounded = {
            key: value.to(dtype).to(value.dtype) if dtype and value.is_floating_point() else value
            for key, value in state.items()
        }
        exact = _results(case, rounded, inputs, "cpu", torch.float64, None, not random)
        found = _results(case, rounded, inputs, device, torch.float32, dtype, not random)
        try:
            usual = _results(case, rounded, inputs, "cpu", torch.float32, dtype, not random)
        except (RuntimeError, NotImplementedError):  # some have no fp16 on a CPU
            usual = exact
        for name, value in exact.items():
            error, own = _error(found[name], value), _error(usual[name], value)
            column = precision if name == "output" else f"{precision} gradients"
            facts[column] = max(facts[column], error)
            limit = max(bound if name == "output" else gradient_bound, _WORSE * own)
            message = f"{case.name}: {name} in {precision} is off by {error:.2g}"
            require(error <= limit, message, facts)


def _numbers(shape: tuple[int, ...], number: int = 0) -> Tensor:
    """Odd multiples of 1/64 up to 4, in an order without pattern; neighbors are different."""
    count = 1
    for side in shape:
        count *= side
    places = torch.arange(count, dtype=torch.int64)
    scrambled = (places * (89 + 12 * number) + 37 * (places // 251) + 17 * number) % 251
    return ((2 * scrambled - 251).double() / 64).view(shape)


def _is_random(case: Case, state: Results, inputs: list[Tensor]) -> bool:
    """Whether it draws random numbers in training, which are others on another device."""
    outputs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        outputs.append(_results(case, state, inputs, "cpu", torch.float64, None, True)["output"])
    return not torch.equal(*outputs)


def _results(
    case: Case,
    state: Results,
    inputs: list[Tensor],
    device: str,
    dtype: torch.dtype,
    autocast: torch.dtype | None,
    training: bool,
) -> Results:
    """The output, the gradients and the buffers after a step."""
    built = _placed(case, state, device, dtype)
    built.train(training)
    leaves = [each.to(device, autocast or dtype, copy=True).requires_grad_() for each in inputs]
    kind = torch.device(device).type
    with torch.autocast(kind, autocast) if autocast else nullcontext():
        output = built.forward(*(leaf.clone() for leaf in leaves))
    results = {"output": output.detach()}
    if output.requires_grad:
        weights = _numbers(tuple(output.shape), 3).to(
            device, torch.promote_types(dtype, output.dtype)
        )
        (output.to(weights.dtype) * weights).sum().backward()
    if training:  # without, norms only read their statistics
        for number, leaf in enumerate(leaves):
            if leaf.grad is not None:
                results[f"gradient of input {number}"] = leaf.grad
        if built.module is not None:
            for name, weight in built.module.named_parameters():
                if weight.grad is not None:
                    results[f"gradient of {name}"] = weight.grad
            for name, buffer in built.module.named_buffers():
                if buffer.is_floating_point():
                    results[name] = buffer.detach()
    return {name: value.cpu() for name, value in results.items()}


def _placed(case: Case, state: Results, device: str, dtype: torch.dtype) -> Built:
    built = build(case.op, *case.shapes)
    if built.module is not None:
        built.module.load_state_dict(state)
        built.module.to(device, dtype)
    return built


def _error(found: Tensor, exact: Tensor) -> float:
    """The norm of the difference, relative to that of the exact result."""
    off = float((found.double() - exact).norm())
    size = float(exact.norm())
    if off != off:
        return float("inf")
    return off / size if size > 1e-12 else off


# ---- large maps ----------------------------------------------------------------------------------


def large_operation(word: str, setting: Setting) -> Facts:
    """A batch of 2^31 elements and more: the last images are computed as by themselves."""
    case = next(operation_cases(word, 0))
    wanted = 2**16 if setting.small else 2**31
    largest = max(_elements(shape) for shape in (*case.shapes, case.op.output(*case.shapes)))
    batch, last = wanted // largest + 3, 3
    needed = 2 * batch * sum(map(_elements, (*case.shapes, case.op.output(*case.shapes)))) * 3
    dtype = torch.float32
    if setting.device.startswith("cuda"):
        torch.cuda.empty_cache()
        dtype = torch.bfloat16
        free, _ = torch.cuda.mem_get_info(setting.device)
        if needed > 0.9 * free:
            raise Skipped(f"needs {needed / 2**30:.0f} GiB, {free / 2**30:.0f} are free")
    torch.manual_seed(0)
    built = _placed(case, build(case.op, *case.shapes).state(), setting.device, dtype)
    built.train(False)
    few = [
        _numbers((last, *shape), n).to(setting.device, dtype) for n, shape in enumerate(case.shapes)
    ]
    many = [torch.zeros(batch, *one.shape[1:], dtype=dtype, device=setting.device) for one in few]
    for whole, part in zip(many, few, strict=True):
        whole[-last:] = part
    try:
        with torch.no_grad():
            expected = built.forward(*few)
            found = built.forward(*many)[-last:]
    except torch.OutOfMemoryError:
        raise Skipped("does not fit into memory") from None
    error = _error(found.cpu(), expected.double().cpu())
    facts = {"elements": batch * largest, "error": error}
    require(error < 1e-2, f"the last images differ by {error:.2g}", facts)
    return facts


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


# ---- training ------------------------------------------------------------------------------------

_SLOW = ("compile",)
"""Directives that a small check leaves out: they take a minute, and a compiler."""


def same_training(section: str, kind: type[Directive], setting: Setting) -> Facts:
    """A directive in a run of two epochs: losses and weights, compared with those on the CPU."""
    if setting.small and kind.word in _SLOW:
        raise Skipped("takes too long for a small check")
    line = kind.shown().replace("256", "20").replace("224", "16")
    tries = [line]
    if section == "transfer":
        start = f'from "{_source(setting)}"'
        tries = [f"{start}, {line}", f"{start}, freeze until layer4, {line}"]
        if kind.word == "from":
            tries = [start]
    reason = ""
    for text in tries:
        spec = f"{NETWORK}{section} {{ {text} }}"
        # A compiler needs minutes for a CPU; without one, a run comes to the same.
        reference = NETWORK if kind.word in _SLOW else spec
        try:
            expected = trained(setting, reference, device="cpu")
        except SpecError as error:
            reason = error.diagnostics[0].message
            continue
        break
    else:
        raise Skipped(reason)
    found = trained(setting, spec)
    losses = found.metrics["loss"], expected.metrics["loss"]
    loss = abs(losses[0] - losses[1]) / max(1e-3, abs(losses[1]))
    weights = distance(found.module.state_dict(), expected.module.state_dict())
    exact = kind.word != "precision"
    facts = {"loss": loss, "weights": weights}
    if loss > (5e-3 if exact else 0.1) or weights > (2e-2 if exact else 0.2):
        raise Failed("a run on the device comes to something else", facts)
    return facts


_SOURCES: dict[object, str] = {}


def _source(setting: Setting) -> str:
    """A run whose weights others start with."""
    if setting.folder not in _SOURCES:
        folder = trained(setting, NETWORK, device="cpu", data=images(48)).folder
        _SOURCES[setting.folder] = str(folder)
    return _SOURCES[setting.folder]
