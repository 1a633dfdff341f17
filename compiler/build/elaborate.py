"""Elaboration, the entry point: from a program to a network with every shape, or diagnostics.
Selects the network of the file, sets its parameters, executes its statements (`walk`), assigns
names (`naming`), and completes operations that depend on later ones (`settle`). Costs and warnings
are computed elsewhere (`analysis`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic, Label, SpecError, has_errors, in_order
from ...dsl.gc_pause import gc_paused
from ...dsl.program import Program
from ...dsl.source import Source, Span
from ...dsl.syntax import Body, Expression, Parameter
from ...dsl.syntax import Network as NetworkSyntax
from ..diagnose.blame import first_line, statement_span
from ..diagnose.dead_layers import dead_layers
from ..diagnose.reporter import GiveUp, Reporter
from ..diagnose.unused import calls_in, unused_definitions
from ..extend.used_plugins import words_of
from ..language.evaluate import POISON, Env, maps_in_words
from ..language.fuel import DEFAULT_LAYERS, Fuel, OutOfFuel
from ..language.overrides import SectionOverride
from ..language.problems import Problem, Quiet, did_you_mean
from ..language.values import Maps, Word, show, switch_elsewhere
from ..language.vocabulary import layer_words
from ..network import Network, Node, Output, Scope
from ..shapes import Shape
from .calls import BlockCalls
from .forms import SIGNATURES
from .initial import decide
from .naming import assign_names
from .scoping import Module, build_modules
from .settle import settle
from .walk import Walk

DEFAULT_CLASSES = 10
"""The value of `classes` without data."""


class Elaboration(NamedTuple):
    """The result: the network, if it has no errors, and all diagnostics."""

    network: Network | None
    diagnostics: list[Diagnostic]


def elaborate(
    program: Program,
    *,
    network: str | None = None,
    overrides: Mapping[str, object] | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    max_layers: int = DEFAULT_LAYERS,
) -> Network:
    """The network of a spec; raises SpecError with all errors."""
    result = examine(
        program,
        network=network,
        overrides=overrides,
        input_shape=input_shape,
        classes=classes,
        max_layers=max_layers,
    )
    if result.network is None:
        raise SpecError(result.diagnostics)
    return result.network


def examine(
    program: Program,
    *,
    network: str | None = None,
    overrides: Mapping[str, object] | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    max_layers: int = DEFAULT_LAYERS,
    needs_network: bool = True,
    tries: bool = True,
) -> Elaboration:
    """Like `elaborate`, but returns errors and warnings as data, and accepts a file without a
    network. With `tries`, fixes are tried, and those that fail are not offered.
    """

    def once(variant: Program, fuel: Fuel) -> tuple[Network | None, Reporter]:
        elaborator = _Elaborator(variant, input_shape, classes, fuel)
        built = elaborator.run(network, overrides or {}, needs_network)
        return built, elaborator.reporter

    with gc_paused(), words_of(program):
        result, reporter = once(program, Fuel(max_layers))
        diagnostics = reporter.diagnostics
        if tries and diagnostics:
            from ..diagnose.trial import tried_in  # most specs have no mistake

            for_trials = Fuel(max_layers // 4)
            diagnostics = tried_in(
                program, diagnostics, lambda variant: once(variant, for_trials)[1].diagnostics
            )
    diagnostics = in_order([*program.warnings, *diagnostics])
    return Elaboration(None if has_errors(diagnostics) else result, diagnostics)


class _Elaborator:
    def __init__(
        self, program: Program, input_shape: Shape | None, classes: int | None, fuel: Fuel
    ) -> None:
        self.program = program
        self.input_shape = input_shape
        self.classes = DEFAULT_CLASSES if classes is None else classes
        self.fuel = fuel
        self.modules, problems = build_modules(program)
        self.module: Module = self.modules[program.main.source]
        self.reporter = Reporter(problems)
        self.globals: dict[Module, Env] = {}
        self.block_calls = BlockCalls(self.globals_of)
        self.walk: Walk | None = None

    def run(
        self, wanted: str | None, overrides: Mapping[str, object], needs_network: bool
    ) -> Network | None:
        network: Network | None = None
        try:
            syntax = self.choose(wanted, needs_network)
            if syntax is not None:
                network = self.build(syntax, overrides)
            self.check_uncalled()
            if network is not None and self.walk is not None and not self.reporter.has_errors:
                for warning in unused_definitions(self.program.main, self.block_calls.used):
                    self.reporter.report(warning)
                for warning in self.walk.labels.unused(network):
                    self.reporter.report(warning)
        except OutOfFuel as problem:
            # Errors cost much fuel: if there are some, they are the cause.
            if problem.at_once or not self.reporter.has_errors:
                self.reporter.problem(problem, None)
        except Problem as problem:
            self.reporter.problem(problem, None)
        except (Quiet, GiveUp):
            pass
        return network

    def choose(self, wanted: str | None, needs_network: bool) -> NetworkSyntax | None:
        """The requested network, else the last of the file: earlier ones may be parts of it."""
        networks = self.module.networks
        name = self.program.main.source.name
        message = help = ""
        if wanted is not None and wanted not in networks:
            listed = ", ".join(networks) or "none"
            message = f"there is no network `{wanted}` in {name}; there is {listed}"
        elif not networks and needs_network and not self.reporter.has_errors:
            message = f"{name} does not define a network"
            help = "write one: `network Name { input 3x224x224 … }`"
        if message:
            self.reporter.report(Diagnostic("no-network", message, file=name, help=help))
            return None
        return networks[wanted] if wanted else next(reversed(networks.values()), None)

    def build(self, syntax: NetworkSyntax, overrides: Mapping[str, object]) -> Network | None:
        walk = self.walk = Walk(
            syntax,
            self.module,
            self.reporter,
            self.globals_of,
            self.block_calls,
            self.input_shape,
            self.fuel,
        )
        root = Scope("network", syntax.name.value, syntax.name.span, None)
        for module in self.modules.values():
            source = module.source
            for call in module.allowed:
                walk.allow(call, source.span(0, len(source.text)))
            self.read_defaults(module)
        values = self.parameters(syntax, overrides, root)
        env = Env(self.globals_of(self.module), values)
        outputs, left = walk.outputs, walk.body(syntax.body, root, env, None)
        end = left if isinstance(left, Node) else None
        root.output = end
        main = [output for output in outputs if not output.aux]
        if main:
            root.output = main[0].node
        elif end is not None:
            outputs = [Output(root, end), *outputs]
        if isinstance(left, Maps) and not main:
            last = syntax.body.statements[-1] if isinstance(syntax.body, Body) else syntax
            self.reporter.report(
                Diagnostic(
                    "list-of-maps",
                    f"the network ends in {maps_in_words(left)}, and an output is one map",
                    first_line(last.span),
                    help="merge them, like `concat`, or name outputs: `output large: …`",
                )
            )
        self.refuse_empty(syntax, walk, root)
        if root.output is None or self.reporter.has_errors:
            return None
        for dead, at in dead_layers(walk.nodes, outputs, end, walk.left_at):
            self.reporter.report(dead, at)
        if self.reporter.has_errors:
            return None
        assign_names(root)
        network = Network(
            syntax.name.value,
            walk.nodes,
            outputs,
            root,
            self.program,
            values,
            self.module.sections,
            tuple(walk.allowed),
        )
        settle(network)
        network.walk = walk
        network.size_reads = walk.size_reads
        network.init = decide(network, walk.init, walk.residual_sums)
        if network.init.whitened:
            network.by_name[network.init.whitened].keep_fixed("weight")
        return network

    def refuse_empty(self, syntax: NetworkSyntax, walk: Walk, root: Scope) -> None:
        code = message = help = ""
        if not walk.has_input:
            code, message = "no-input", "this network has no input"
            help = "write `input 3x224x224` (channels x height x width) as its first line"
        elif walk.nodes and root.output is walk.nodes[0]:
            code, message = "empty", "this network has no layers"
            help = "write a layer after the input"
            if walk.outputs:
                message += " but those of auxiliary heads"
        if code and not self.reporter.has_errors:
            self.reporter.report(Diagnostic(code, message, syntax.name.span, help=help))

    def parameters(
        self, syntax: NetworkSyntax, given: Mapping[str, object], root: Scope
    ) -> dict[str, object]:
        """The network's parameters: values from the command line, else defaults."""
        values: dict[str, object] = {}
        env = Env(self.globals_of(self.module), values)
        names = [parameter.name.value for parameter in syntax.parameters]
        for name in given:
            if name not in names:
                help, _ = did_you_mean(name, names, root.span)
                help = help or _directive_help(name, given[name], self.module.sections)
                listed = ", ".join(f"`{n}`" for n in names) or "none"
                message = f"{root.word} has no parameter `{name}`; it has {listed}"
                place = _given_place(name, given[name])
                labels = (Label(first_line(root.span), f"has {listed}"),)
                self.reporter.report(
                    Diagnostic("unknown-parameter", message, place, labels=labels, help=help)
                )
        for parameter in syntax.parameters:
            name, span = parameter.name.value, parameter.name.span
            if name in given:
                values[name] = self.fitting(parameter, given[name], env)
            elif parameter.default is None:
                message = f"the parameter `{name}` of a network needs a default"
                help = f"give it one: `{name}=…`"
                self.reporter.report(Diagnostic("missing-default", message, span, help=help))
                values[name] = POISON
            else:
                values[name] = self.value_or_poison(parameter.default, env, self.module)
        return values

    def fitting(self, parameter: Parameter, value: object, env: Env) -> object:
        """A value from the command line; a bare word in the place of a number is a mistake there,
        and not in each line that uses it."""
        if not isinstance(value, Word) or parameter.default is None:
            return value
        usual = self.value_or_poison(parameter.default, env, self.module)
        name, switch = parameter.name.value, switch_elsewhere(value)
        if isinstance(usual, bool):
            if not switch:
                return value
            message = f"`{value}` is not a value of `{name}`, which is on or off"
            help = f"write `{name}={switch}`"
        elif isinstance(usual, (int, float, tuple, list)):
            kind = "a list" if isinstance(usual, (tuple, list)) else "a number"
            message = f"`{value}` is not a value of `{name}`, which is {kind}: {show(usual)}"
            help = f"write {kind}, as in `{name}={show(usual)}`"
        else:
            return value
        labels = (Label(parameter.span, "its default"),)
        place = _given_place(name, value)
        place = Span(place.source, len(name) + 1, len(place.source.text))
        self.reporter.report(Diagnostic("type", message, place, labels=labels, help=help))
        return POISON

    def read_defaults(self, module: Module) -> None:
        """Reads the `default` lines of a file."""
        if not module.default_lines:
            return
        from .defaults import read_default

        for call in module.default_lines:
            try:
                env = self.globals_of(module)
                word, default = read_default(call, SIGNATURES, env, module.blocks)
                if word in module.defaults:
                    raise Problem(
                        "duplicate-name",
                        f"`default {word}` is written twice",
                        statement_span(call),
                        labels=(Label(first_line(module.defaults[word].call.span), "the first"),),
                        help="write all of its arguments on one line",
                    )
                module.defaults[word] = default
            except Problem as problem:
                self.reporter.problem(problem, None)
            except Quiet:
                pass

    def globals_of(self, module: Module) -> Env:
        """The names that a file defines with `let`."""
        if module not in self.globals:
            env = Env(fuel=self.fuel)
            env.look_around, env.labeled = self.look_around, self.value_of_label
            self.globals[module] = env
            for let in module.lets.values():
                env.values[let.name.value] = self.value_or_poison(let.value, env, module)
        return self.globals[module]

    def look_around(self, name: str) -> object:
        """Built-in names such as `classes`; KeyError for others."""
        if name == "classes":
            return self.classes
        if self.walk is None:
            raise KeyError(name)
        return self.walk.look_around(name)

    def value_of_label(self, word: Expression) -> object:
        return None if self.walk is None else self.walk.value_of_label(word)

    def value_or_poison(self, node: Expression, env: Env, module: Module) -> object:
        try:
            return self.block_calls.value(node, env, module)
        except Problem as problem:
            self.reporter.problem(problem, None)
        except Quiet:
            pass
        return POISON

    def check_uncalled(self) -> None:
        """Checks the words in blocks that are never called; their shapes are unknown."""
        words = layer_words()
        for ref in self.module.own_blocks:
            if id(ref.block) in self.block_calls.used:
                continue
            parameters = {parameter.name.value for parameter in ref.block.parameters}
            for call in calls_in(ref.block):
                word = call.head.value
                if not any(word in known for known in (parameters, ref.module.blocks, words)):
                    from .layer_mistakes import unknown_layer

                    self.reporter.problem(unknown_layer(word, call, ref.module.blocks), None)


def _given_place(name: str, value: object) -> Span:
    """The name of a parameter on the command line."""
    shown = str(value) if isinstance(value, SectionOverride) else show(value)
    return Span(Source("--set", f"{name}={shown}"[:100]), 0, len(name))


def _directive_help(name: str, given: object, sections: Collection[str]) -> str:
    """Help for a directive that is set like a parameter of the network; those of the sections that
    a spec has go first."""
    from ..plan.setting_elsewhere import setting_elsewhere

    if "." in name:
        return "sections matter to `cnn train` and `cnn explain` only"
    value = "" if isinstance(given, SectionOverride) else show(given)
    setting, advice = setting_elsewhere(name, value, sections)
    return f"write `--set {setting}`" if setting else advice
