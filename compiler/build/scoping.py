"""Name resolution: the blocks of a file and its imports, definitions, and reserved words."""

from __future__ import annotations

import keyword
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...dsl.characters import shorten
from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.program import Program
from ...dsl.source import Source, Span
from ...dsl.syntax import Block, Call, Import, Let, Name, Network, Parameter, Statement, String
from ...dsl.syntax import walk as parts_of
from ..language.evaluate import FUNCTIONS
from ..language.problems import MAX_MISTAKES, Problem, did_you_mean
from ..language.values import Word
from ..language.vocabulary import SECTIONS, layer_words
from ..language.words_in_force import words_in_force

# Attributes of every torch module; a submodule of that name would hide them.
_MODULE_ATTRIBUTES = frozenset(
    "add_module apply bfloat16 buffers call_super_init children compile cpu cuda double "
    "dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter "
    "get_submodule half ipu load_state_dict modules mtia named_buffers named_children "
    "named_modules named_parameters parameters register_backward_hook register_buffer "
    "register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter "
    "register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state "
    "set_submodule share_memory state_dict to to_empty train training type xpu zero_grad "
    "_apply _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl "
    "_forward_hooks _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks "
    "_forward_pre_hooks_with_kwargs _get_backward_hooks _get_backward_pre_hooks _get_name "
    "_is_full_backward_hook _load_from_state_dict _load_state_dict_post_hooks "
    "_load_state_dict_pre_hooks _maybe_warn_non_full_backward_hook _modules _named_members "
    "_non_persistent_buffers_set _parameters _register_load_state_dict_pre_hook "
    "_register_state_dict_hook _replicate_for_data_parallel _save_to_state_dict _slow_forward "
    "_state_dict_hooks _state_dict_pre_hooks _version _wrapped_call_impl".split()
)
_USED_BY_MODULES = frozenset("F nn predict self super torch x".split())
"""What the text of an emitted module calls something else."""

UNKNOWN_WORD = "unknown-word"
"""The error of a word at the top of a file that is not a section."""


@dataclass(frozen=True, eq=False)
class BlockRef:
    """A reference to a block, with the file whose names its body uses."""

    block: Block
    module: Module
    is_invalid: bool = False
    """Its definition has an error, so calls of it are not checked."""

    def __str__(self) -> str:
        return self.block.name.value

    def __eq__(self, other: object) -> bool:
        """In `if unit == bottleneck`, the parameter has become a reference, the name is a word."""
        return self is other or (isinstance(other, Word) and other == str(self))

    def __hash__(self) -> int:
        return hash(str(self))


class Default(NamedTuple):
    """The arguments that a `default` line gives to the layers of its file."""

    call: Call
    values: dict[str, Any]


class Module:
    """One file: its definitions, and those of the files that it imports."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.blocks: dict[str, BlockRef] = {}
        self.misnamed: set[str] = set()
        """Words of the language that blocks are called: what a call of one means is unknown."""
        self.networks: dict[str, Network] = {}
        self.lets: dict[str, Let] = {}
        self.sections: dict[str, Call] = {}
        self.allowed: list[Call] = []
        """`allow` at the top of the file."""
        self.default_lines: list[Call] = []
        """`default` at the top of the file."""
        self.defaults: dict[str, Default] = {}
        """What they give, by the word of the layer."""
        self.own_blocks: list[BlockRef] = []
        self.plugins: set[str] = set()
        """Those that it uses."""
        self.twice: dict[str, tuple[BlockRef, BlockRef]] = {}
        """Blocks of one name from two imported files."""

    def define(self, kind: str, name: Name, known: Mapping[str, object]) -> Diagnostic | None:
        """Adds a definition; returns a diagnostic if the name is taken."""
        word = name.value
        previous = known.get(word)
        place = getattr(getattr(previous, "block", previous), "name", None)
        if place is not None:
            return Diagnostic(
                "duplicate-name",
                f"`{word}` is defined twice",
                name.span,
                labels=(Label(place.span, "already defined here"),),
                help="give one of them another name",
            )
        taken = ""
        if kind == "block" and word in layer_words():
            owner = words_in_force().owners.get(word)
            taken = f"is a layer of the plug-in `{owner}`" if owner else "is a word of the language"
        elif kind == "let" and word in FUNCTIONS:
            taken = "is a function"
        if taken:
            return Diagnostic(
                "taken-name",
                f"`{word}` {taken}",
                name.span,
                help=f"use another name: `my_{word}`",
                edits=(Edit(name.span, f"my_{word}"),),
            )
        return None


def build_modules(program: Program) -> tuple[dict[Source, Module], list[Diagnostic]]:
    """A Module for each file, imported files first."""
    modules: dict[Source, Module] = {}
    diagnostics: list[Diagnostic] = []
    for spec in program.files:
        module = modules[spec.source] = Module(spec.source)
        for _, imported in program.imports.get(spec.source, ()):
            for ref in modules[imported.source].own_blocks:
                first = module.blocks.setdefault(ref.block.name.value, ref)
                if first is not ref:
                    module.twice.setdefault(ref.block.name.value, (first, ref))
        imported_names = dict(module.blocks)
        loose = False  # a layer outside networks and blocks
        for statement in spec.statements:
            problem: Diagnostic | None = None
            if isinstance(statement, Block):
                # An own block hides an imported one of the same name.
                hides = statement.name.value in imported_names
                problem = (
                    module.define("block", statement.name, {} if hides else module.blocks)
                    or _bad_name(statement.name, "block")
                    or _twice(statement.parameters)
                )
                if problem and statement.name.value in layer_words():
                    diagnostics.append(problem)
                    module.misnamed.add(statement.name.value)
                    continue
                ref = BlockRef(
                    statement, module, is_invalid=_twice(statement.parameters) is not None
                )
                module.blocks[statement.name.value] = ref
                imported_names.pop(statement.name.value, None)
                module.own_blocks.append(ref)
            elif isinstance(statement, Network):
                problem = (
                    module.define("network", statement.name, module.networks)
                    or _bad_name(statement.name, "network")
                    or _twice(statement.parameters)
                )
                module.networks[statement.name.value] = statement
            elif isinstance(statement, Let):
                problem = module.define("let", statement.name, module.lets)
                module.lets[statement.name.value] = statement
            elif isinstance(statement, Call) and statement.head.value == "allow":
                module.allowed.append(statement)
            elif isinstance(statement, Call) and statement.head.value == "use":
                values = [argument.value for argument in statement.arguments]
                module.plugins |= {each.value for each in values if isinstance(each, String)}
            elif isinstance(statement, Call) and statement.head.value == "default":
                module.default_lines.append(statement)
            elif isinstance(statement, Call) and statement.head.value in SECTIONS:
                problem = _section(statement, module)
            elif not isinstance(statement, Import) and len(diagnostics) < MAX_MISTAKES:
                problem = _misplaced(statement, () if loose else spec.statements)
                # A network without its braces is one error, not one for each layer.
                if problem.code == "outside-network":
                    problem, loose = (None if loose else problem), True
            if problem:
                diagnostics.append(problem)
        diagnostics += _ambiguous(module, spec.statements)
    return modules, diagnostics


def _ambiguous(module: Module, statements: Sequence[Statement]) -> Iterator[Diagnostic]:
    """The first use of each block that two imported files define, and this file does not."""
    own = {str(ref) for ref in module.own_blocks}
    left = {name: refs for name, refs in module.twice.items() if name not in own}
    for definition in statements if left else ():
        parameters = getattr(definition, "parameters", ())
        given = {parameter.name.value for parameter in parameters}
        for node in parts_of(definition):
            if type(node) is not Name or node.value not in left or node.value in given:
                continue
            if node is getattr(definition, "name", None):
                continue
            first, second = left.pop(node.value)
            yield Diagnostic(
                "ambiguous-block",
                f"two imported files define a block `{node.value}`",
                node.span,
                labels=tuple(
                    Label(ref.block.name.span, f"in {ref.module.source.name}")
                    for ref in (first, second)
                ),
                help="rename one of them, or write a block of this name here, which hides both",
            )


def imported_elsewhere(word: str, call: Call, module: Module) -> Problem | None:
    """The error for a block that an imported file has from another file: imports are for the file
    that writes them.
    """
    for ref in module.blocks.values():
        found = ref.module.blocks.get(word)
        if found is None or found.module is module:
            continue
        here, there = module.source.path, found.module.source.path
        path = "…"
        if here and there:
            path = os.path.relpath(there, os.path.dirname(here)).replace(os.sep, "/")
        return Problem(
            "unknown-layer",
            f"`{word}` is a block of {found.module.source.name}, which this file does not import",
            call.head.span,
            labels=(Label(found.block.name.span, "the block"),),
            notes=(f"{ref.module.source.name} imports it, for itself",),
            help=f'import it here, too: `import "{path}"`',
        )
    return None


def sections_of(program: Program) -> dict[str, Call]:
    """The sections of the main file: train, augment, evaluate, transfer."""
    by_name: dict[str, Call] = {}
    for statement in program.main.statements:
        if isinstance(statement, Call) and statement.head.value in SECTIONS:
            by_name.setdefault(statement.head.value, statement)
    return by_name


def _twice(parameters: Sequence[Parameter]) -> Diagnostic | None:
    """The error for a repeated parameter name."""
    seen: dict[str, Parameter] = {}
    for parameter in parameters:
        name = parameter.name.value
        if name in seen:
            return Diagnostic(
                "duplicate-name",
                f"two parameters are called `{name}`",
                parameter.name.span,
                labels=(Label(seen[name].name.span, "the other"),),
                help="give one of them another name",
            )
        seen[name] = parameter
    return None


def _bad_name(name: Name, what: str) -> Diagnostic | None:
    try:
        check_module_name(name, what)
    except Problem as problem:
        return problem.diagnostic
    return None


def _section(call: Call, module: Module) -> Diagnostic | None:
    word = call.head.value
    if word in module.sections:
        return Diagnostic(
            "duplicate-name",
            f"there are two `{word}` sections",
            call.head.span,
            labels=(Label(module.sections[word].head.span, "the first"),),
            help="merge them into one",
        )
    module.sections[word] = call
    return None


def _stated_input(statements: Sequence[object]) -> str:
    """The shape that a loose `input` states; that of a photograph where there is none."""
    for statement in statements:
        if isinstance(statement, Call) and statement.head.value == "input":
            written = [argument.span.text for argument in statement.arguments]
            if len(written) == 1 and "\n" not in written[0]:
                return shorten(written[0])
    return "3x224x224"


def _misplaced(statement: object, statements: Sequence[object]) -> Diagnostic:
    head = getattr(statement, "head", None)
    span: Span = head.span if isinstance(head, Name) else statement.span  # type: ignore[attr-defined]
    if isinstance(head, Name):
        known = layer_words()
        if head.value not in known:
            from ..plan.foreign_directives import sections_with

            for section in sections_with(head.value):
                return Diagnostic(
                    UNKNOWN_WORD,
                    f"`{head.value}` is a directive of `{section}`, not a section of a spec",
                    span,
                    help=f"write it inside of `{section} {{ … }}`",
                )
            help, edits = did_you_mean(
                head.value, {*SECTIONS, "block", "network", "import", "let", "use"}, span
            )
            return Diagnostic(
                UNKNOWN_WORD,
                f"`{head.value}` is not a section of a spec",
                span,
                help=help
                or "a spec has `network`, `block`, " + ", ".join(f"`{word}`" for word in SECTIONS),
                edits=edits,
            )
    return Diagnostic(
        "outside-network",
        "layers belong in a network or a block",
        span,
        help=f"write them into `network Name {{ input {_stated_input(statements)} … }}`",
    )


def check_module_name(name: Name, what: str) -> None:
    """Refuses a name that cannot be an attribute of a torch module."""
    word = name.value
    reason = not_for_modules(word)
    if not reason:
        return
    raise Problem(
        "taken-name",
        f"`{word}` {reason}: it cannot name a {what}, which becomes part of the emitted module",
        name.span,
        help=f"use another name: `{word.strip('_')}_`",
        edits=(Edit(name.span, f"{word.strip('_')}_"),),
    )


def not_for_modules(word: str) -> str:
    """Why a word cannot name a part of a torch module; "" if it can."""
    if keyword.iskeyword(word):
        return "is a keyword of Python"
    if word in _MODULE_ATTRIBUTES or word.startswith("__"):
        return "is an attribute of every torch module"
    if word in _USED_BY_MODULES:
        return "has a meaning of its own in every emitted module"
    return ""
