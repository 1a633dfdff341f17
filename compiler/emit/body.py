"""The steps of a scope: each layer and named scope in it, with its operands.

The same for everything that becomes a class: a block, an iteration of a loop, a labeled residual,
the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..language.values import MapRef
from ..network import Network, Node, Scope, zeroed
from ..ops.base import CallText
from .carried import carry_of
from .interfaces import Interfaces
from .lists import MapList, MapLists, Row, Zip
from .scope_kinds import is_head, is_shortcut, origin, ranges
from .shared_modules import SharedModules, first_of_shared
from .source import NAMESPACE, Names
from .steps import SELF, Carry, Key, Ref, Step, in_place


def _loops_over_maps(loop: Scope) -> bool:
    """Whether each round of a loop is given a map of a list."""
    first = next((each for each in loop.children if isinstance(each, Scope)), None)
    given = first.arguments if first is not None else ()
    return any(isinstance(value, MapRef) for _, value in given)


def _only_path(iteration: Scope) -> Node | None:
    """What the only path ends in that a round of a loop makes."""
    scopes = [child for child in iteration.children if isinstance(child, Scope)]
    if len(scopes) != 1 or len(iteration.children) != 1 or scopes[0].kind != "path":
        return None
    return scopes[0].output if isinstance(scopes[0].output, Node) else None


class Body(NamedTuple):
    """The steps of a scope, its inputs and its outputs."""

    scope: Scope
    steps: tuple[Step, ...]
    inputs: tuple[Node, ...]
    outputs: tuple[Ref, ...]
    heads: tuple[bool, ...]
    """Which of the outputs exist only in training."""
    lists: tuple[bool, ...]
    """Which of the outputs are lists of maps."""
    modules: tuple[str, ...] = ()
    """The modules of classes around it that it shares: the names of arguments."""


def structure(body: Body) -> object:
    """The structure of a body: equal for calls that differ only in numbers."""
    steps = tuple([(s.key, s.name, s.template, s.operands) for s in body.steps])
    inputs = tuple([isinstance(each, MapList) for each in body.inputs])
    return steps, body.outputs, body.heads, body.lists, inputs, body.modules


def pattern(call: str) -> tuple[str, tuple[str, ...]]:
    """The text of a call with names for its numbers, and these names."""
    return (call.pattern, tuple(call.numbers)) if isinstance(call, CallText) else (call, ())


_Connected = tuple[Step, Sequence[Node], Sequence[Node]]
"""A step, its inputs and its outputs."""


class Bodies:
    """The bodies of the scopes of a network, each computed once."""

    def __init__(self, network: Network, zero: frozenset[str] = frozenset()) -> None:
        self.network = network
        self.zero = zero
        self.bodies: dict[int, Body] = {}
        self.carries: dict[int, tuple[Carry, list[Node]] | None] = {}
        self.lists = MapLists()
        self.zips: dict[int, Zip | None] = {}
        # The loss needs the input of a last softmax; only `predict` applies it.
        self.left_out = {
            node.index
            for node in network.ends
            if node.op.probabilities and not network.consumers[node.index]
        }
        self.shared = SharedModules(network, ranges(network.root))
        self.interfaces = Interfaces(network, self.shared, self.lists, self.left_out)
        self.interface = self.interfaces.of
        self.ends = [*map(self.interfaces.computed, network.ends)]

    def adopted(self, scope: Scope, body: Body) -> Body:
        """A body to which a layer is given twice, connected as another call of the same text is."""
        if len({node.index for node in body.inputs}) == len(body.inputs):
            return body
        model = self.interfaces.model(scope)
        other = None if model is None else self.body(model)
        if other is None or len(other.inputs) != len(body.inputs):
            return body
        if [(s.key, s.template) for s in other.steps] != [(s.key, s.template) for s in body.steps]:
            return body

        def same(one: Sequence[Ref], two: Sequence[Ref]) -> bool:
            return len(one) == len(two) and all(
                a == b or (a[0] < 0 and b[0] < 0 and body.inputs[~a[0]] is body.inputs[~b[0]])
                for a, b in zip(one, two, strict=True)
            )

        pairs = list(zip(body.steps, other.steps, strict=True))
        if not all(same(own.operands, step.operands) for own, step in pairs):
            return body
        if not same(body.outputs, other.outputs):
            return body
        steps = tuple([own._replace(operands=step.operands) for own, step in pairs])
        return body._replace(steps=steps, outputs=other.outputs)

    def parts(self, scope: Scope) -> Iterator[Scope | Node]:
        """The named layers and scopes inside that are not empty."""
        self.zipped(scope)  # its rounds may pass on what they read, which is not nothing
        for part in scope.parts:
            if isinstance(part, Node):
                if part.inputs and part.index not in self.left_out:
                    yield part
            elif not self.is_empty(part):
                yield part

    def rounds(self, loop: Scope) -> list[Scope]:
        """All iterations, empty ones included, so that indices stay the same."""
        return [part for part in loop.parts if isinstance(part, Scope)]

    def is_empty(self, scope: Scope) -> bool:
        return not any(self.interface(scope))

    def is_chain(self, loop: Scope) -> bool:
        """Whether each iteration reads only the output of the one before."""
        inputs, outputs = self.interface(loop)
        if len(inputs) != 1 or len(outputs) != 1 or self.shared.modules_for(loop):
            return False
        expected = inputs
        for part in self.rounds(loop):
            inputs, outputs = self.interface(part)
            if not inputs and not outputs:
                continue
            if inputs != expected or len(outputs) != 1:
                return False
            expected = outputs
        return expected == outputs

    def is_list(self, scope: Scope) -> bool:
        """Whether it is a loop (or an iteration that is one) that is written out."""
        if origin(scope).kind != "loop" or self.is_chain(scope) or self.is_parallel(scope):
            return False
        if self.zipped(scope) is not None:
            return False
        return self.carry(scope) is None

    def is_parallel(self, loop: Scope) -> bool:
        """Whether it is a loop that makes paths: each round reads the same, and has one output."""
        if not self.makes_paths_alike(loop) or self.zipped(loop) is not None:
            return False
        faces = [self.interface(each) for each in self.rounds(loop)]
        if len(faces) < 2 or not faces[0][0]:
            return False
        return all(inputs == faces[0][0] and len(outputs) == 1 for inputs, outputs in faces)

    def makes_paths_alike(self, loop: Scope) -> bool:
        """Whether a loop can be one expression: its rounds share nothing with what is outside."""
        if loop.kind != "loop" or loop.shares is not None or id(loop) in self.shared.copies:
            return False
        return not (self.shared.modules_for(loop) or is_head(loop))

    def zipped(self, loop: Scope) -> Zip | None:
        """How a loop makes a list of maps: `[block(x) for block, x in zip(self.blocks, maps)]`."""
        if id(loop) not in self.zips:
            self.zips[id(loop)] = self.compute_zip(loop) if self.makes_paths_alike(loop) else None
        return self.zips[id(loop)]

    def compute_zip(self, loop: Scope) -> Zip | None:
        rounds = self.rounds(loop)
        ends = [_only_path(each) for each in rounds]
        in_list = loop.parent is not None and loop.parent.word == "list"
        if not rounds or any(end is None for end in ends):
            return None
        faces = [self.interface(each) for each in rounds]
        filled = [n for n, face in enumerate(faces) if face[1]]
        if not filled or len({len(faces[n][0]) for n in filled}) > 1:
            return None
        if any(len(faces[n][1]) != 1 or faces[n][1][0] is not ends[n] for n in filled):
            return None
        if any(faces[n][0] for n in range(len(rounds)) if n not in filled):
            return None
        reads: list[Node] = []
        varying: list[int] = []
        for place, column in enumerate(zip(*[faces[n][0] for n in filled], strict=True)):
            same = all(node is column[0] for node in column)
            own = [value for n in filled for value in rounds[n].maps.values()]
            if same and (len(column) > 1 or len(rounds) == 1) and column[0] not in own:
                reads.append(column[0])
                continue
            if any(isinstance(node, MapList) for node in column):
                return None
            whole = [end for end in ends if end is not None]  # of an empty round: what it passes on
            for number, node in zip(filled, column, strict=True):
                whole[number] = node
            varying.append(place)
            reads.append(self.lists.of(whole))
        passes_on = len(filled) < len(rounds)
        if not reads or (passes_on and (not varying or len(reads) > 1)) or not (varying or in_list):
            return None
        for number, end in enumerate(ends):
            if number not in filled and end is not None:  # it passes on what it reads
                self.interfaces.known[id(rounds[number])] = [end], [end]
        left = self.lists.of([end for end in ends if end is not None], loop.label or "")
        return Zip(tuple(reads), tuple(varying), left)

    def made_paths(self, scope: Scope) -> dict[int, dict[int, int]]:
        """By index of a concatenation or sum in a scope: how many of its paths a loop makes, by
        index of the first."""
        result: dict[int, dict[int, int]] = {}
        parts = [*self.parts(scope)]
        inside = {part.index: part for part in parts if isinstance(part, Node)}
        for part in parts:
            if isinstance(part, Node) or not self.is_parallel(part):
                continue
            ends = self.interface(part)[1]
            readers = [self.network.consumers[end.index] for end in ends]
            merge = inside.get(readers[0][0].index) if readers[0] else None
            if merge is None or any(len(each) != 1 or each[0] is not merge for each in readers):
                continue
            first = merge.inputs.index(ends[0])
            in_order = [*merge.inputs[first : first + len(ends)]] == ends
            texts = [f"{{{number}}}" for number in range(len(merge.inputs))]
            is_sum = first > 0 and merge.torch.call == _sum(texts)
            if in_order and (is_sum or merge.torch.call == f"torch.cat([{', '.join(texts)}], 1)"):
                result.setdefault(merge.index, {})[ends[0].index] = len(ends)
        return result

    def is_own_loop(self, scope: Scope) -> bool:
        """Whether it is a round of nothing but a loop that passes several values on."""
        return (
            origin(scope).kind == "loop"
            and self.carry(scope) is not None
            and (origin(scope) is not scope)
        )

    def carry(self, scope: Scope) -> tuple[Carry, list[Node]] | None:
        """How the rounds of a loop with `carry` pass values on, and what the first round reads."""
        loop = origin(scope)
        if loop.kind != "loop" or not (loop.maps or _loops_over_maps(loop)):
            return None
        if id(loop) not in self.carries:
            rounds = self.rounds(scope)
            shares = any(self.shared.modules_for(each) for each in (scope, *rounds))
            self.carries[id(loop)] = (
                carry_of(loop, rounds, self.interfaces) if rounds and not shares else None
            )
        return self.carries[id(loop)]

    def body(self, scope: Scope) -> Body:
        """The steps of a scope."""
        known = self.bodies.get(id(scope))
        if known is None:
            known = self.bodies[id(scope)] = self.compute_body(scope)
        return known

    def compute_body(self, scope: Scope) -> Body:
        inputs, outputs = self.interface(scope)
        if scope.parent is None:
            inputs, outputs = [*self.network.inputs], self.ends
        body = _in_a_row(scope, self._all_steps(scope), inputs, outputs)
        body = self.adopted(scope, body)
        return body._replace(modules=tuple(self.shared.modules_for(scope).values()))

    def flat(self) -> Body:
        """All layers of the network as one body; names have `_` instead of dots."""
        network = self.network
        names = Names(NAMESPACE)
        given: dict[int, str] = {}
        """The attributes of modules, by index."""

        def steps() -> Iterator[_Connected]:
            for node in network.nodes:
                if node.inputs and node.index not in self.left_out:
                    for step, inputs, outputs in self._steps((node.index,), node, network.root):
                        if node.shared is not None and step.name:
                            own = f"self.{given[node.shared.index]}"
                            step = step._replace(template=step.template.replace("{m}", own))
                        elif step.name:
                            given[node.index] = names.free(node.name.replace(".", "_"))
                        name = given.get(node.index, "")
                        yield step._replace(name=name), inputs, outputs

        return _in_a_row(network.root, steps(), network.inputs, self.ends)

    def _all_steps(self, scope: Scope) -> Iterator[_Connected]:
        if self.is_list(scope):
            yield from self._rounds(scope)
            return
        if self.is_own_loop(scope):
            carried = self.carry(scope)
            assert carried is not None
            own = Step(_key(origin(scope)), scope, SELF, str(carried[0]), (), 0, carry=carried[0])
            yield own, carried[1], self.interface(scope)[1]
            return
        keys: dict[Key, int] = {}
        made = self.made_paths(scope)
        firsts = {first for paths in made.values() for first in paths}
        for part in self.parts(scope):
            key = _key(part)
            keys[key] = keys.get(key, -1) + 1
            for step, inputs, outputs in self._steps((*key, keys[key]), part, scope):
                if isinstance(part, Node) and part.index in made:
                    template, sources = _spread(inputs, made[part.index])
                    if in_place(step.template):
                        template = _sum([f"{{{number}}}" for number in range(len(sources))])
                    yield step._replace(template=template), sources, outputs
                elif outputs and outputs[0].index in firsts:  # one list of all
                    yield step, inputs, outputs[:1]
                else:
                    yield step, inputs, outputs

    def _steps(self, key: Key, part: Node | Scope, scope: Scope) -> Iterator[_Connected]:
        """The step of a part in the class of a scope."""
        name = part.name.rpartition(".")[2]
        if isinstance(part, Node):
            text = part.torch
            template, numbers = pattern(text.call)
            step = Step(key, part, name if text.module else "", template, (), 1, numbers=numbers)
            if part.name in self.zero:
                step = step._replace(zero=zeroed(part))
            yield step, part.inputs, [part]
            return
        inputs, outputs = self.interface(part)
        carried = None if self.is_own_loop(part) else self.carry(part)
        if carried is not None:
            carry, first = carried
            yield Step(key, part, name, str(carry), (), 0, carry=carry), first, outputs
            return
        together = self.zipped(part)
        if together is not None:
            yield Step(key, part, name, together.template(), (), 0), together.reads, [together.left]
            return
        if self.is_parallel(part):
            inputs = self.interface(self.rounds(part)[0])[0]  # in the order of its arguments
            read = ", ".join(f"{{{number}}}" for number in range(len(inputs)))
            template = f"[{{item}}({read}) for {{item}} in {{m}}]"
            yield Step(key, part, name, template, (), 0), inputs, outputs
            return
        if part.shares is not None:
            owner = first_of_shared(part)
            template, numbers = "", ()
            if isinstance(owner, Node):
                template, numbers = pattern(owner.torch.call)
                template = template.replace("{m}", self.shared.module_of(owner, scope))
            else:
                handed = self.shared.arguments(owner, scope)
                template = _called(self.shared.module_of(owner, scope), inputs, handed)
            yield Step(key, part, "", template, (), 0, numbers=numbers), inputs, outputs
            return
        modules = self.shared.arguments(part, scope)
        yield Step(key, part, name, _called("{m}", inputs, modules), (), 0), inputs, outputs

    def _rounds(self, loop: Scope) -> Iterator[_Connected]:
        """The iterations of a loop that is not a chain, each as a step."""
        for number, inner in enumerate(self.rounds(loop)):
            inputs, outputs = self.interface(inner)
            modules = self.shared.arguments(inner, loop)
            key, template = (*_key(loop), number), _called(f"self[{number}]", inputs, modules)
            yield Step(key, inner, str(number), template, (), 0), inputs, outputs


def _in_a_row(
    scope: Scope, connected: Iterable[_Connected], inputs: Sequence[Node], outputs: Sequence[Node]
) -> Body:
    """A body with the operands of each step filled in."""
    row = Row(inputs)
    for step, sources, results in connected:
        row.add(step, sources, results)
    for number, node in enumerate(outputs):
        row.hold(node, scope, ("end", "list", number))
    steps, refs = row.steps, row.refs(outputs)
    heads = tuple([node.aux and not scope.aux for node in outputs])
    lists = tuple([isinstance(node, MapList) for node in outputs])
    return Body(scope, tuple(steps), tuple(inputs), refs, heads, lists)


def _sum(texts: Sequence[str]) -> str:
    """The text of a sum in place."""
    return texts[0] + "".join(f".add_({text})" for text in texts[1:])


def _spread(inputs: Sequence[Node], paths: Mapping[int, int]) -> tuple[str, list[Node]]:
    """The text of a concatenation or sum with lists among its paths, and what it reads."""
    texts: list[str] = []
    sources: list[Node] = []
    at = 0
    while at < len(inputs):
        is_list = inputs[at].index in paths
        texts.append(f"{'*' * is_list}{{{len(sources)}}}")
        sources.append(inputs[at])
        at += paths.get(inputs[at].index, 1)
    listed = "{0}" if texts == ["*{0}"] else f"[{', '.join(texts)}]"
    return f"torch.cat({listed}, 1)", sources


def _called(module: str, inputs: Sequence[Node], modules: Sequence[str] = ()) -> str:
    return f"{module}({', '.join([*(f'{{{n}}}' for n in range(len(inputs))), *modules])})"


def _key(part: Node | Scope) -> Key:
    if isinstance(part, Node):
        if is_shortcut(part.scope):  # the same for all residuals
            return part.scope.word, part.word
        return part.span.source.name, part.span.start, part.word
    return part.span.source.name, part.span.start, part.kind, part.word
