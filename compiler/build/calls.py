"""Block calls: binds arguments to parameters, and fills in defaults."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ...dsl.diagnostics import Label
from ...dsl.syntax import Argument, Call, Expression, List, Name, Network
from ..diagnose.blame import block_usage
from ..language.evaluate import Env, evaluate, maps_among, maps_together, unknown_name
from ..language.problems import Problem, did_you_mean, missing_separator
from ..language.values import MapRef, Maps, Word
from ..language.vocabulary import SHORTCUTS, layer_words
from ..language.words_in_force import cached_by_words
from ..network import Scope
from ..ops import choice_words
from .labels import Labels
from .scoping import BlockRef, Module


class BlockCalls:
    """Binds arguments of block calls, and records which blocks are used."""

    def __init__(self, globals_of: Callable[[Module], Env]) -> None:
        self.globals_of = globals_of
        self.used: set[int] = set()
        """The ids of the blocks that were called or passed as arguments."""

    def values(
        self, ref: BlockRef, call: Call, env: Env, module: Module, labels: Labels, scope: Scope
    ) -> dict[str, object]:
        given = self._given(ref, call, env, module, labels, scope)
        values: dict[str, object] = {}
        defaults = Env(self.globals_of(ref.module), values)
        defaults.labeled = None
        defaults.block = ref.block
        defaults.network = labels.network if isinstance(labels.network, Network) else None
        for parameter in ref.block.parameters:
            name = parameter.name.value
            if name in given:
                values[name] = given[name]
            elif parameter.default is not None:
                values[name] = self.value(parameter.default, defaults, ref.module)
            else:
                raise Problem(
                    "missing-argument",
                    f"`{ref}` needs `{name}`",
                    call.head.span,
                    labels=(Label(parameter.span, "has no default"),),
                    notes=_usage(ref),
                )
        return values

    def _given(
        self, ref: BlockRef, call: Call, env: Env, module: Module, labels: Labels, scope: Scope
    ) -> dict[str, object]:
        names = [parameter.name.value for parameter in ref.block.parameters]
        given: dict[str, object] = {}
        allowed, waiting = set(names), dict.fromkeys(names)
        for argument in call.arguments:
            name = argument.name
            if name is None and waiting:
                name = next(iter(waiting))
            value = self._argument(argument, env, module, labels, scope)
            if name is None:
                raise _too_many(argument, value, ref, call, module)
            if name not in allowed:
                help, edits = did_you_mean(name, names, argument.name_span)
                raise Problem(
                    "unknown-argument",
                    f"`{ref}` has no parameter `{name}`",
                    argument.name_span,
                    labels=(Label(ref.block.name.span, "the block"),),
                    notes=_usage(ref),
                    help=help,
                    edits=edits,
                )
            if name in given:
                message = f"`{name}` is given twice"
                raise Problem("repeated-argument", message, argument.span, notes=_usage(ref))
            given[name] = value
            del waiting[name]
        return given

    def _argument(
        self, argument: Argument, env: Env, module: Module, labels: Labels, scope: Scope
    ) -> object:
        """The value of an argument; a label that is no word of the language stands for its map."""
        node = argument.value
        value = self._block_or_value(evaluate(node, env), module)
        if isinstance(value, MapRef | Maps) and labels.knows(node, scope):
            return _given(str(value), node, labels, scope)  # a loop may have carried it
        if isinstance(value, Maps):
            env.fuel.spend(len(value), node.span)
        if isinstance(value, list):
            return list_of_maps(value, node, env, labels, scope) or value
        if not isinstance(value, Word) or (value in _words() and value != "input"):
            return value
        if labels.knows(node, scope):
            return _given(str(value), node, labels, scope)
        problem = unknown_name(node, env, str(value), labels.visible(scope))
        if problem.diagnostic.edits or not isinstance(node, Name):
            raise problem
        raise Problem(
            "unknown-name",
            f"there is no value and no label named `{value}`",
            node.span,
            help=f"for a map, label it before this: `{value}: conv 64`; for a value, write"
            f" `let {value} = …`",
        )

    def value(self, node: Expression, env: Env, module: Module) -> object:
        """The value of an expression that gets a name: a bare word has to be defined."""
        value = self._block_or_value(evaluate(node, env), module)
        if isinstance(value, Word) and value not in _words():
            raise unknown_name(node, env, str(value))
        return value

    def _block_or_value(self, value: object, module: Module) -> object:
        """A word that names a block becomes a reference to the block and its file."""
        if isinstance(value, Word) and value in module.blocks:
            value = module.blocks[value]
        if isinstance(value, BlockRef):
            self.used.add(id(value.block))
        return value


def _given(name: str, node: Expression, labels: Labels, scope: Scope) -> MapRef | Maps:
    """What a label stands for as an argument of a block."""
    value = labels.value(Argument(node.span, None, node), scope)
    return Maps(name, value.nodes) if isinstance(value, Maps) else MapRef(name, value)


def list_of_maps(
    value: list[object], node: Expression, env: Env, labels: Labels, scope: Scope
) -> Maps | None:
    """`[one, two]` as a list of maps; None if its items are values."""
    written = node.items if isinstance(node, List) else ()
    for item, each in zip(written, value, strict=False):
        is_word = isinstance(each, Word) and (each not in _words() or each == "input")
        if isinstance(each, MapRef | Maps) or (is_word and labels.knows(item, scope)):
            return maps_together(maps_among(node, value, env), node, env)
    return None


@cached_by_words
def _words() -> frozenset[str]:
    """The words that are values by themselves."""
    return layer_words() | choice_words() | {*SHORTCUTS}


def _usage(ref: BlockRef) -> tuple[str, ...]:
    return (f"it is called `{block_usage(ref.block)}`",)


def _too_many(
    argument: Argument, value: object, ref: BlockRef, call: Call, module: Module
) -> Problem:
    statements: Collection[str] = layer_words() | module.blocks.keys()
    if isinstance(value, (Word, BlockRef)) and str(value) in statements:
        return missing_separator(call, argument, str(value))
    return Problem(
        "too-many-arguments",
        f"`{ref}` takes no further argument: `{argument.span.text}`",
        argument.span,
        notes=_usage(ref),
        help="take it out",
    )
