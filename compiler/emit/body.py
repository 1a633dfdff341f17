"""The steps of a scope: each layer and named scope in it, with its operands.

The same for everything that becomes a class: a block, an iteration of a loop, a labeled residual,
the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..language.values import MapRef, Maps
from ..network import Network, Node, Scope, nodes_of, zeroed
from ..ops.base import CallText
from .forward_names import SHORT
from .lists import MapList, MapLists, Row, Zip, maps_in
from .source import NAMESPACE, Names
from .steps import SELF, Carry, Key, Ref, Step, in_place


def title_of(maps: Maps) -> str:
    """The name of a list, if the spec gives it one."""
    return maps.name if maps.name.isidentifier() and maps.name not in ("list", "input") else ""


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


Owner = Scope | Node
"""What has the module that a `share` calls."""


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


def origin(scope: Scope) -> Scope:
    """The scope that defines another: for an iteration merged with a block, that block."""
    while scope.just is not None:
        scope = scope.just
    return scope


def structure(body: Body) -> object:
    """The structure of a body: equal for calls that differ only in numbers."""
    steps = tuple([(s.key, s.name, s.template, s.operands) for s in body.steps])
    inputs = tuple([isinstance(each, MapList) for each in body.inputs])
    return steps, body.outputs, body.heads, body.lists, inputs, body.modules


def pattern(call: str) -> tuple[str, tuple[str, ...]]:
    """The text of a call with names for its numbers, and these names."""
    return (call.pattern, tuple(call.numbers)) if isinstance(call, CallText) else (call, ())


def is_head(scope: Scope) -> bool:
    """Whether it is the outermost scope of an auxiliary head."""
    return scope.aux and (scope.parent is None or not scope.parent.aux)


def is_shortcut(scope: Scope) -> bool:
    """Whether it is the projection that a residual adds if shapes differ."""
    return scope.word == "shortcut" and scope.kind == "block" and scope.definition is None


_Connected = tuple[Step, Sequence[Node], Sequence[Node]]
"""A step, its inputs and its outputs."""


class Bodies:
    """The bodies of the scopes of a network, each computed once."""

    def __init__(self, network: Network, zero: frozenset[str] = frozenset()) -> None:
        self.network = network
        self.zero = zero
        self.ranges = _ranges(network.root)
        self.copies = _copies(network)
        """By id of what is shared: the `share`s of it."""
        self.offsets: dict[int, list[int]] = {}
        self.handed = self.find_handed()
        self.interfaces: dict[int, tuple[list[Node], list[Node]]] = {}
        self.bodies: dict[int, Body] = {}
        self.models: dict[object, Scope] | None = None
        self.carries: dict[int, tuple[Carry, list[Node]] | None] = {}
        self.lists = MapLists()
        self.zips: dict[int, Zip | None] = {}
        ends = network.ends
        # The loss needs the input of a last softmax; only `predict` applies it.
        self.left_out = {
            node.index
            for node in ends
            if node.op.probabilities and not network.consumers[node.index]
        }
        self.ends = [self.computed(node) for node in ends]
        self.returned = {node.index for node in self.ends}
        self.last_values: dict[int, Scope] = {}
        self.last_values = self.find_last_values()

    def computed(self, node: Node) -> Node:
        return node.inputs[0] if node.index in self.left_out else node

    def interface(self, scope: Scope) -> tuple[list[Node], list[Node]]:
        """The inputs of a scope from outside, and those of its nodes that others read, in order."""
        known = self.interfaces.get(id(scope))
        if known is None:
            known = self.interfaces[id(scope)] = self.compute_interface(scope)
        return known

    def compute_interface(self, scope: Scope) -> tuple[list[Node], list[Node]]:
        first: Owner = scope if scope.shares is None else first_of_shared(scope)
        if id(first) not in self.copies:
            return self.own_interface(scope)
        # One module computes them all: it returns what any of them is read for.
        inputs, _ = self.own_interface(scope)
        begin = self.start(scope)
        return inputs, [self.network.nodes[begin + offset] for offset in self.read_of(first)]

    def read_of(self, first: Owner) -> list[int]:
        """Which layers of something shared are read outside of it, in any of its uses: counted
        from its first layer."""
        if id(first) not in self.offsets:
            read: set[int] = set()
            for each in (first, *self.copies[id(first)]):
                begin = self.start(each)
                outputs = [each] if isinstance(each, Node) else self.own_interface(each)[1]
                read.update(node.index - begin for node in outputs)
            self.offsets[id(first)] = sorted(read)
        return self.offsets[id(first)]

    def start(self, item: Owner) -> int:
        return item.index if isinstance(item, Node) else self.ranges[id(item)][0]

    def own_interface(self, scope: Scope) -> tuple[list[Node], list[Node]]:
        start, end = self.ranges[id(scope)]
        inputs: dict[int, Node] = {}
        outputs: list[Node] = []
        for node in self.network.nodes[start:end]:
            if node.index in self.left_out:
                continue
            for source in node.inputs:
                if source.index < start:
                    inputs.setdefault(source.index, source)
            consumers = self.network.consumers[node.index]
            outside = any(c.index >= end and c.index not in self.left_out for c in consumers)
            if node.index in self.returned or outside or self.is_handed_on(node, scope):
                outputs.append(node)
        if not outputs:  # nothing reads its output, but it has weights
            inside = self.network.nodes[start:end]
            outputs = [node for node in inside if node.index not in self.left_out][-1:]
        given = self.lists_read(scope, self.in_order(scope, inputs))
        return given, self.lists_left(scope, outputs)

    def lists_read(self, scope: Scope, inputs: list[Node]) -> list[Node]:
        """The inputs of a scope, with the lists that it reads as a whole in place of their maps."""
        start, _ = self.ranges[id(scope)]
        what = origin(scope)
        by_name = [what.maps[name] for name in what.maps_read]
        alone = {value.index for value in by_name if isinstance(value, Node)}
        for maps in sorted(scope.lists.values(), key=len, reverse=True):
            if any(node.index >= start or node.aux for node in maps):
                continue
            held = {node.index for node in maps} - alone
            at = next((n for n, node in enumerate(inputs) if node.index in held), None)
            if at is not None:
                rest = [node for node in inputs[at:] if node.index not in held]
                inputs = [*inputs[:at], self.lists.of(maps.nodes, title_of(maps)), *rest]
        return inputs

    def lists_left(self, scope: Scope, outputs: list[Node]) -> list[Node]:
        """The outputs of a scope: the list that it leaves, if that is all that is read of it."""
        left = scope.output
        if not isinstance(left, Maps):
            return outputs
        start, end = self.ranges[id(scope)]
        indices = [node.index for node in left]
        own = all(start <= index < end for index in indices) and len({*indices}) == len(indices)
        if not own or not {node.index for node in outputs} <= {*indices}:
            return outputs
        return [self.lists.of(left.nodes, title_of(left))]

    def is_handed_on(self, node: Node, scope: Scope) -> bool:
        """Whether the last round of a loop returns a layer, and so do parts of it, because other
        rounds do: nothing reads it any more, but all rounds are called in the same way."""
        loop = self.last_values.get(node.index)
        return loop is not None and any(each is loop for each in scope.chain() if each is not scope)

    def find_last_values(self) -> dict[int, Scope]:
        """What the last round of a loop that carries hands on, as other rounds do: the loop, by
        index of the layer."""
        result: dict[int, Scope] = {}
        stack: list[Scope] = [self.network.root]
        while stack:
            scope = stack.pop()
            stack += [child for child in scope.children if isinstance(child, Scope)]
            if scope.kind != "loop" or not scope.maps:
                continue
            rounds = [child for child in scope.children if isinstance(child, Scope)]
            left = self.own_interface(rounds[0])[1] if len(rounds) > 1 else []
            first = [node for each in left for node in maps_in(each)]
            for name, value in scope.carried.items():
                start, end = self.ranges[id(rounds[-1])] if rounds else (0, 0)
                following = nodes_of(rounds[1].maps.get(name) if first else None)
                for number, node in enumerate(nodes_of(value)):
                    is_last = start <= node.index < end and number < len(following)
                    if is_last and any(each is following[number] for each in first):
                        result[node.index] = scope
        return result

    def in_order(self, scope: Scope, inputs: dict[int, Node]) -> list[Node]:
        """The inputs of a scope: what arrives, then what it is given by name, then others. A layer
        that is given twice, as to the first round of a loop, is there twice if another call of the
        same text reads both."""
        what = origin(scope)
        if not what.maps or what.kind == "loop":
            return list(inputs.values())
        given = [(n, node) for n, node in what.given() if node.index in inputs]
        if len({node.index for _, node in given}) < len(given):
            model = self.model(scope)
            if model is None:
                given = [*{node.index: (n, node) for n, node in reversed(given)}.values()][::-1]
            else:
                start, end = self.ranges[id(model)]
                read = {s.index for n in self.network.nodes[start:end] for s in n.inputs}
                names = {n for n, node in origin(model).given() if node.index in read}
                given = [(n, node) for n, node in given if n in names] or given[:1]
        known = {node.index for _, node in given}
        others = [node for index, node in inputs.items() if index not in known]
        return [*(node for _, node in given), *others]

    def model(self, scope: Scope) -> Scope | None:
        """Another scope of the same text, to which no layer is given twice."""
        if self.models is None:
            self.models = {}
            stack: list[Scope] = [self.network.root]
            while stack:
                at = stack.pop()
                inner = [child for child in at.children if isinstance(child, Scope)]
                stack += inner[::-1]
                what = origin(at)
                is_merged = at.parent is not None and at.parent.just is at
                if what.maps and what.kind != "loop" and not is_merged:
                    given = [*what.given()]
                    if len({node.index for _, node in given}) == len(given):
                        self.models.setdefault(_text_of(what), at)
        return self.models.get(_text_of(origin(scope)))

    def adopted(self, scope: Scope, body: Body) -> Body:
        """A body to which a layer is given twice, connected as another call of the same text is."""
        if len({node.index for node in body.inputs}) == len(body.inputs):
            return body
        model = self.model(scope)
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
        if len(inputs) != 1 or len(outputs) != 1 or self.modules_for(loop):
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
        if loop.kind != "loop" or loop.shares is not None or id(loop) in self.copies:
            return False
        return not (self.modules_for(loop) or is_head(loop))

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
                self.interfaces[id(rounds[number])] = [end], [end]
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
            self.carries[id(loop)] = self.compute_carry(scope, loop)
        return self.carries[id(loop)]

    def compute_carry(self, scope: Scope, loop: Scope) -> tuple[Carry, list[Node]] | None:
        rounds = self.rounds(scope)
        if not rounds or any(self.modules_for(each) for each in (scope, *rounds)):
            return None
        # By value and round, with what follows the last round at the end.
        whole: dict[str, list[Node | Maps | None]] = {}
        whole[""] = [*(each.input for each in rounds), loop.output]
        for name in loop.maps:
            whole[name] = [*(each.maps[name] for each in rounds), loop.carried.get(name)]
        parts = [part for name, column in whole.items() for part in _apart(name, column)]
        names, values = [name for name, _ in parts], [column for _, column in parts]
        faces = [self.interface(each) for each in rounds]
        count = len(faces[0][0]), len(faces[0][1])
        if any((len(inputs), len(outputs)) != count for inputs, outputs in faces) or not count[1]:
            return None
        reads: list[int] = []
        zipped: set[int] = set()
        for number in range(count[0]):
            column = [inputs[number] for inputs, _ in faces]
            same = (p for p, value in enumerate(values) if _equal(value[:-1], column))
            found = next(same, None)
            if found is None and _equal(column, column[:1] * len(column)):
                found = len(values)  # the same in all rounds
                names.append("")
                values.append([*column, column[0]])
            if found is None and self.are_outside(column, loop):
                found = len(values)
                names.append("")
                values.append([self.lists.of(column)] * (len(rounds) + 1))
                zipped.add(found)
            if found is None:
                return None
            reads.append(found)
        results = [[outputs[number] for _, outputs in faces] for number in range(count[1])]
        after: list[tuple[bool, int] | None] = []
        for place, value in enumerate(values):
            sources = [(True, q, result) for q, result in enumerate(results)]
            sources += [(False, p, values[p][:-1]) for p in (place, *range(len(values)))]
            same_next = ((is_new, q) for is_new, q, s in sources if _equal(s, value[1:]))
            after.append(next(same_next, None))
        ends: list[int] = []
        for node in self.interface(loop)[1]:
            last = next((p for p, value in enumerate(values) if value[-1] is node), None)
            if last is None:
                return None
            ends.append(last)
        needed: list[int] = []
        waiting = [*ends, *reads][::-1]
        while waiting:
            place = waiting.pop()
            if place not in needed:
                needed.append(place)
                following = after[place]
                if following is None:
                    return None
                if not following[0]:
                    waiting.append(following[1])
        needed.sort()
        first = [values[place][0] for place in needed]
        inputs = self.interface(loop)[0]
        arriving = [*inputs, *[node for each in inputs for node in maps_in(each)]]
        for place, begin in zip(needed, first, strict=True):
            wanted = maps_in(begin) if place in zipped and begin is not None else [begin]
            if not all(any(one is each for each in arriving) for one in wanted):
                return None
        new = {place: number for number, place in enumerate(needed)}
        carry = Carry(
            tuple([names[place] for place in needed]),
            tuple([new[place] for place in reads]),
            tuple([(n[0], n[1] if n[0] else new[n[1]]) for p in needed if (n := after[p])]),
            count[1],
            tuple([new[place] for place in ends]),
            tuple([new[place] for place in needed if place in zipped]),
        )
        return carry, [node for node in first if node is not None]

    def are_outside(self, column: Sequence[Node], loop: Scope) -> bool:
        """Whether what the rounds of a loop read is computed before it."""
        start, _ = self.ranges[id(loop)]
        return len(column) > 1 and all(0 <= node.index < start for node in column)

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
        return body._replace(modules=tuple(self.modules_for(scope).values()))

    # ---- shared modules ----

    def modules_for(self, scope: Scope) -> dict[int, str]:
        """The modules that a scope calls and that belong to scopes around it: the names of the
        arguments that they are handed as, by id of their owner."""
        return self.handed.get(id(scope), {})

    def find_handed(self) -> dict[int, dict[int, str]]:
        """By id of a scope: the names of the modules handed to it, by id of their owner."""
        handed: dict[int, dict[int, str]] = {}
        names: dict[int, Names] = {}
        # What is shared may call others itself, which come before it.
        owners = sorted(map(self.owner, self.copies), key=self.start)
        for owner in owners:
            for copy in self.copies[id(owner)]:
                for needed in (owner, *map(self.owner, handed.get(id(owner), ()))):
                    for scope in copy.chain():
                        start, end = self.ranges[id(scope)]
                        known = handed.setdefault(id(scope), {})
                        if start <= self.start(needed) < end or id(needed) in known:
                            break
                        taken = names.setdefault(id(scope), Names({*NAMESPACE, *SHORT}))
                        known[id(needed)] = taken.free(needed.label or "module", "module")
        return handed

    def module_of(self, owner: Owner, scope: Scope) -> str:
        """The text for the module of an owner, in the class of a scope."""
        handed = self.modules_for(scope).get(id(owner))
        if handed is not None:
            return handed
        path = owner.name.removeprefix(f"{scope.name}.") if scope.name else owner.name
        return "self." + re.sub(r"\.(\d+)", r"[\1]", path)

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
                template = template.replace("{m}", self.module_of(owner, scope))
            else:
                handed = [self.module_of(self.owner(o), scope) for o in self.modules_for(owner)]
                template = _called(self.module_of(owner, scope), inputs, handed)
            yield Step(key, part, "", template, (), 0, numbers=numbers), inputs, outputs
            return
        modules = [self.module_of(self.owner(each), scope) for each in self.modules_for(part)]
        yield Step(key, part, name, _called("{m}", inputs, modules), (), 0), inputs, outputs

    def owner(self, of: int) -> Owner:
        return first_of_shared(self.copies[of][0])

    def _rounds(self, loop: Scope) -> Iterator[_Connected]:
        """The iterations of a loop that is not a chain, each as a step."""
        for number, inner in enumerate(self.rounds(loop)):
            inputs, outputs = self.interface(inner)
            modules = [self.module_of(self.owner(each), loop) for each in self.modules_for(inner)]
            key, template = (*_key(loop), number), _called(f"self[{number}]", inputs, modules)
            yield Step(key, inner, str(number), template, (), 0), inputs, outputs


def first_of_shared(scope: Scope) -> Owner:
    """What has the module that a `share` calls, which may name another `share`."""
    item: Owner = scope
    while isinstance(item, Scope) and item.shares is not None:
        item = item.shares
    return item


def _copies(network: Network) -> dict[int, list[Scope]]:
    """By id of what is shared: the `share`s of it, in order."""
    copies: dict[int, list[Scope]] = {}
    seen: set[int] = set()
    for node in network.nodes:
        if node.shared is None:
            continue
        outermost = [scope for scope in node.scope.chain() if scope.shares is not None][-1]
        if id(outermost) not in seen:
            seen.add(id(outermost))
            copies.setdefault(id(first_of_shared(outermost)), []).append(outermost)
    return copies


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


def _apart(
    name: str, column: Sequence[Node | Maps | None]
) -> Iterator[tuple[str, list[Node | None]]]:
    """What each round of a loop is given by a name; of lists of one length, each map by itself."""
    if any(isinstance(value, Maps) for value in column):
        if len({len(nodes_of(value)) for value in column}) == 1:
            for number, each in enumerate(zip(*map(nodes_of, column), strict=True)):
                yield f"{name}{number}" if name else "", [*each]
        return
    yield name, [value if isinstance(value, Node) else None for value in column]


def _text_of(what: Scope) -> object:
    """The block or loop that a scope executes."""
    return id(what.definition if what.definition is not None else what.statement)


def _equal(first: Sequence[Node | None], second: Sequence[Node | None]) -> bool:
    return all(one is two and one is not None for one, two in zip(first, second, strict=True))


def _called(module: str, inputs: Sequence[Node], modules: Sequence[str] = ()) -> str:
    return f"{module}({', '.join([*(f'{{{n}}}' for n in range(len(inputs))), *modules])})"


def _key(part: Node | Scope) -> Key:
    if isinstance(part, Node):
        if is_shortcut(part.scope):  # the same for all residuals
            return part.scope.word, part.word
        return part.span.source.name, part.span.start, part.word
    return part.span.source.name, part.span.start, part.kind, part.word


def _ranges(root: Scope) -> dict[int, tuple[int, int]]:
    """The range of node indices of each scope, by its id."""
    result: dict[int, tuple[int, int]] = {}
    order: list[Scope] = []
    stack = [root]
    while stack:
        scope = stack.pop()
        order.append(scope)
        stack += [child for child in scope.children if isinstance(child, Scope)]
    for scope in reversed(order):
        spans = [
            (child.index, child.index + 1) if isinstance(child, Node) else result[id(child)]
            for child in scope.children
        ]
        filled = [span for span in spans if span[0] < span[1]]
        result[id(scope)] = (filled[0][0], filled[-1][1]) if filled else (0, 0)
    return result
