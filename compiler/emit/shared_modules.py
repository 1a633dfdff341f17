"""Modules that several scopes call (`share`): who owns them, and to whom they are handed."""

from __future__ import annotations

import re

from ..network import Network, Node, Scope
from .forward_names import SHORT
from .scope_kinds import Ranges
from .source import NAMESPACE, Names

Owner = Scope | Node
"""What has the module that a `share` calls."""


class SharedModules:
    """The shared modules of a network."""

    def __init__(self, network: Network, ranges: Ranges) -> None:
        self.ranges = ranges
        self.copies = _copies(network)
        """By id of what is shared: the `share`s of it."""
        self.handed = self.find_handed()

    def start(self, item: Owner) -> int:
        """The index of its first layer."""
        return item.index if isinstance(item, Node) else self.ranges[id(item)][0]

    def owner(self, of: int) -> Owner:
        """What is shared, by its id."""
        return first_of_shared(self.copies[of][0])

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

    def arguments(self, called: Scope, scope: Scope) -> list[str]:
        """The texts of the modules that a call of a scope is handed, in the class of another."""
        return [self.module_of(self.owner(each), scope) for each in self.modules_for(called)]

    def module_of(self, owner: Owner, scope: Scope) -> str:
        """The text for the module of an owner, in the class of a scope."""
        handed = self.modules_for(scope).get(id(owner))
        if handed is not None:
            return handed
        path = owner.name.removeprefix(f"{scope.name}.") if scope.name else owner.name
        return "self." + re.sub(r"\.(\d+)", r"[\1]", path)


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
