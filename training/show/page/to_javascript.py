"""Translates Python classes and functions to JavaScript: the arithmetic of layers, for the page.

`cnn show --at` and the page work an output out by the same code, `Op.work_out`: for the page it is
translated, with whatever it needs. Translated is what such code is written in: expressions,
comprehensions, f-strings, named tuples, `if`, `for`, `match`. `python.js` has Python's built-in
functions. What has no translation is left out, and the page has the values of such a layer alone.
"""

from __future__ import annotations

import ast
import builtins
import json
import linecache
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product
from types import FunctionType, ModuleType
from typing import Any

from ....compiler.shapes import AllAxes

_MODULES = ("math", "re", "struct")
"""Modules of Python that python.js has what is needed of."""
_METHODS = frozenset(
    "append format get index items join keys partition replace rstrip startswith values".split()
)
"""Methods of Python's own types: `py.method` finds out of which."""
_RESERVED = frozenset(
    "arguments case catch const debugger default delete do enum eval export extends function"
    " implements instanceof interface let new null package private protected public static"
    " switch this throw typeof undefined var void".split()
)
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "py.add({}, {})",
    ast.Sub: "({} - {})",
    ast.Mult: "py.mul({}, {})",
    ast.Div: "({} / {})",
    ast.FloorDiv: "Math.floor({} / {})",
    ast.Mod: "py.mod({}, {})",
    ast.Pow: "({} ** {})",
    ast.LShift: "({} << {})",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "py.eq({}, {})",
    ast.NotEq: "!py.eq({}, {})",
    ast.Lt: "({} < {})",
    ast.LtE: "({} <= {})",
    ast.Gt: "({} > {})",
    ast.GtE: "({} >= {})",
    ast.Is: "py.is({}, {})",
    ast.IsNot: "!py.is({}, {})",
    ast.In: "py.within({}, {})",
    ast.NotIn: "!py.within({}, {})",
}


class Untranslatable(Exception):
    """Code that has no translation."""


class Program:
    """Classes and functions in JavaScript, and all that they use."""

    def __init__(self, roots: Iterable[type | FunctionType], called: Iterable[str]) -> None:
        """The `roots`, with their methods of the names in `called`."""
        self._names: dict[str, object] = {}
        self._functions: dict[str, str] = {}
        self._constants: dict[str, str] = {}
        self._classes: dict[type, dict[str, str]] = {}
        """The members of each class, by name."""
        self._called = set(called)
        self._read: set[str] = set()
        """Attributes that are read: of classes only properties and plain values are meant."""
        self.left_out: dict[str, str] = {}
        """What has no translation, and why."""
        for root in roots:
            self.name(root)
        self._complete()

    @property
    def text(self) -> str:
        """Statements that define everything."""
        parts = [f"const {name} = {value};" for name, value in self._constants.items()]
        parts += self._functions.values()
        written: set[type] = set()
        for each in self._classes:
            for cls in reversed(each.__mro__):
                if cls in self._classes and cls not in written:
                    written.add(cls)
                    parts.append(self._class(cls))
        return "\n".join(parts)

    # ---- what is needed ----

    def name(self, value: object) -> str:
        """The name of a class or function in the program; it is added if it is new."""
        wanted = _safe(value.__name__)  # type: ignore[attr-defined]
        while self._names.get(wanted, value) is not value:
            wanted += "$"
        if wanted not in self._names:
            self._names[wanted] = value
            if isinstance(value, type):
                for cls in value.__mro__[1:]:
                    if _translated(cls):
                        self.name(cls)
                self._classes[value] = {}
            elif isinstance(value, FunctionType):
                try:
                    text = _Function(self, value).text
                except Untranslatable:
                    del self._names[wanted]
                    raise
                self._functions[wanted] = f"const {wanted} = {text};"
        return wanted

    def constant(self, name: str, value: object) -> str:
        """The name of a constant of a module."""
        wanted = _safe(name)
        while self._names.get(wanted, value) is not value:
            wanted += "$"
        self._constants[wanted] = literal(value)
        self._names[wanted] = value
        return wanted

    def _complete(self) -> None:
        """Translates the methods that are called, and those that they call."""
        while True:
            missing = [
                (cls, name, member)
                for cls in list(self._classes)
                for name, member in vars(cls).items()
                if name not in self._classes[cls] and self._wanted(cls, name, member)
            ]
            if not missing:
                return
            for cls, name, member in missing:
                try:
                    self._classes[cls][name] = self._member(cls, name, member)
                except Untranslatable as reason:
                    self._classes[cls][name] = ""
                    self.left_out[f"{cls.__name__}.{name}"] = str(reason)

    def _wanted(self, cls: type, name: str, member: object) -> bool:
        if name == "__init__":
            return True
        if isinstance(member, (FunctionType, staticmethod, classmethod)):
            return name in self._called and name != "_replace"  # of python.js
        # Of named tuples, everything else is a field.
        return (name in self._read or name in getattr(cls, "fields", ())) and (
            isinstance(member, (property, cached_property)) or type(member) in _PLAIN
        )

    def _member(self, cls: type, name: str, member: Any) -> str:
        if isinstance(member, (property, cached_property)):
            getter: Any = member.fget if isinstance(member, property) else member.func
            return f"get {_Function(self, getter, cls).method(name)}"
        if isinstance(member, classmethod):
            raise Untranslatable(f"{cls.__name__}.{name} is a method of the class")
        if isinstance(member, staticmethod):
            return _Function(self, member.__func__, cls, static=True).method(name)
        if isinstance(member, FunctionType):
            return _Function(self, member, cls).method(name)
        return f"{json.dumps(name)}: {literal(member)}"

    def _class(self, cls: type) -> str:
        name = self.name(cls)
        members = ",\n".join(filter(None, self._classes[cls].values()))
        bases = ", ".join(self.name(base) for base in cls.__mro__[1:] if base in self._classes)
        fields: Sequence[str] = getattr(cls, "_fields", ())
        if not fields:
            own = f"{json.dumps(name)}, [{bases}], {json.dumps(list(getattr(cls, 'fields', ())))}"
            return f"const {name} = py.class({own}, {{\n{members}\n}});"
        defaults: dict[str, object] = getattr(cls, "_field_defaults", {})
        listed = ", ".join(
            f"{field} = {literal(defaults[field])}" if field in defaults else field
            for field in fields
        )
        stored = " ".join(f"this.{field} = {field};" for field in fields)
        return (
            f"class {name} extends py.NamedTuple {{\n"
            f"constructor({listed}) {{ super(); {stored} }}\n}}\n"
            f"py.define({name}, {json.dumps(list(fields))}, {{\n{members}\n}});"
        )

    def uses(self, name: str, *, call: bool) -> None:
        (self._called if call else self._read).add(name)


_PLAIN = (int, float, str, bool, tuple, AllAxes, list, dict, type(None))


def _translated(cls: type) -> bool:
    """Whether a base class is translated; python.js has those of Python, and that of declared
    words."""
    return cls.__module__ not in ("builtins", "typing", "abc") and cls.__name__ != "Declared"


def literal(value: object) -> str:
    """A value as JavaScript. Raises Untranslatable."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float)):
        if math.isfinite(value):
            return repr(value) if isinstance(value, float) else str(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return json.dumps(value).replace("<", "\\u003c")  # no `</script>`
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)}: {literal(each)}' for key, each in value.items())}}}"
    raise Untranslatable(f"{value!r}")


def _safe(name: str) -> str:
    return f"{name}$" if name in _RESERVED else name


def _syntax(function: FunctionType) -> ast.FunctionDef:
    """The syntax of a function, from its module, which is parsed once."""
    code = function.__code__
    found = _functions(code.co_filename, function.__module__)
    node = found.get((code.co_firstlineno, function.__name__))
    if node is None:
        raise Untranslatable(f"the source of {function.__qualname__} is not there")
    return node


_PARSED: dict[str, dict[tuple[int, str], ast.FunctionDef]] = {}


def _functions(file: str, module: str) -> dict[tuple[int, str], ast.FunctionDef]:
    """The functions and methods of a module, by the line that they begin in and their name."""
    if file not in _PARSED:
        lines = linecache.getlines(file, vars(sys.modules[module]))
        body = ast.parse("".join(lines)).body
        body += [node for each in body if isinstance(each, ast.ClassDef) for node in each.body]
        _PARSED[file] = {
            # The first line of a function is that of its first decorator.
            (min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.name): node
            for node in body
            if isinstance(node, ast.FunctionDef)
        }
    return _PARSED[file]


class _Function:
    """A function, or a method of the class `owner`."""

    def __init__(
        self,
        program: Program,
        function: Callable[..., Any],
        owner: type | None = None,
        *,
        static: bool = False,
    ) -> None:
        assert isinstance(function, FunctionType)
        self.program = program
        self.globals = function.__globals__
        self.owner = owner
        self.where = function.__qualname__
        self.node = _syntax(function)
        self.scopes: list[set[str]] = []
        self.receiver = ""
        if owner is not None and not static:
            if not self.node.args.args:
                raise self._refuse(self.node)
            self.receiver = self.node.args.args[0].arg

    @property
    def text(self) -> str:
        parameters, body = self._signature(self.node.args, self.node.body)
        return f"py.def({self._listed(self.node.args)}, ({parameters}) => {{\n{body}\n}})"

    def method(self, name: str) -> str:
        parameters, body = self._signature(self.node.args, self.node.body)
        own = f"const {self.receiver} = this;\n" if self.receiver else ""
        head = f"{json.dumps(name)}({parameters}) {{\n{own}"
        listed = self._listed(self.node.args)
        # Accessors have no arguments to list.
        property = any(isinstance(each, ast.Name) and each.id in ("property", "cached_property")
                       for each in self.node.decorator_list)  # fmt: skip
        if property:
            return f"{head}{body}\n}}"
        return f"{json.dumps(name)}: py.def({listed}, function ({parameters}) {{\n{own}{body}\n}})"

    def _refuse(self, node: ast.AST) -> Untranslatable:
        line = getattr(node, "lineno", self.node.lineno)
        return Untranslatable(f"{self.where}, line {line}: {type(node).__name__}")

    # ---- parameters ----

    def _arguments(self, args: ast.arguments) -> list[tuple[str, ast.expr | None]]:
        """Those that can be given by position, without `self`, and their defaults."""
        named = [*args.posonlyargs, *args.args]
        defaults = [None] * (len(named) - len(args.defaults)) + list(args.defaults)
        both = [(each.arg, usual) for each, usual in zip(named, defaults, strict=True)]
        return both[1:] if self.receiver and args is self.node.args else both

    def _keywords(self, args: ast.arguments) -> list[tuple[str, ast.expr | None]]:
        pairs = zip(args.kwonlyargs, args.kw_defaults, strict=True)
        return [(each.arg, usual) for each, usual in pairs]

    def _listed(self, args: ast.arguments) -> str:
        """The names of the parameters, so that they can be given by name."""
        names = [name for name, _ in self._arguments(args)]
        only = [name for name, _ in self._keywords(args)]
        if args.vararg is None:
            return json.dumps([*names, *only])
        return f"{json.dumps(names)}, {json.dumps(only)}"

    def _signature(self, args: ast.arguments, body: list[ast.stmt]) -> tuple[str, str]:
        if args.kwarg is not None:
            raise self._refuse(args)
        positional, only = self._arguments(args), self._keywords(args)
        local = {name for name, _ in (*positional, *only)} | ({self.receiver} - {""})
        if args.vararg is not None:
            local.add(args.vararg.arg)
        assigned = set(_assigned(body))
        self.scopes.append(local | assigned)
        first = ""
        if args.vararg is None:
            positional, only = [*positional, *only], []
        parameters = [self._parameter(*each) for each in positional]
        if args.vararg is not None:
            rest = _safe(args.vararg.arg)
            parameters.append(f"...{rest}")
            if only:
                given = ", ".join(self._parameter(*each) for each in only)
                first = f"const {{{given}}} = py.keywords({rest});\n"
        new = sorted(map(_safe, assigned - local))
        declared = f"let {', '.join(new)};\n" if new else ""
        statements = self._block(body)
        self.scopes.pop()
        return ", ".join(parameters), f"{first}{declared}{statements}"

    def _parameter(self, name: str, usual: ast.expr | None) -> str:
        return _safe(name) if usual is None else f"{_safe(name)} = {self.expression(usual)}"

    # ---- statements ----

    def _block(self, body: Sequence[ast.stmt]) -> str:
        return "\n".join(filter(None, map(self._statement, body)))

    def _statement(self, node: ast.stmt) -> str:
        value = self.expression
        match node:
            case ast.Expr(ast.Constant()) | ast.Pass() | ast.Assert():
                return ""
            case ast.Expr():
                return f"{value(node.value)};"
            case ast.Return():
                return f"return {'null' if node.value is None else value(node.value)};"
            case ast.Assign():
                given = value(node.value)
                for each in reversed(node.targets):
                    if isinstance(each, ast.Subscript):
                        return self._stored(each, given)
                    given = f"{self._target(each)} = {given}"
                return f"{';' * given.startswith('[')}{given};"
            case ast.AnnAssign():
                if node.value is None:
                    return ""
                return f"{self._target(node.target)} = {value(node.value)};"
            case ast.AugAssign(target=ast.Name()):
                target = self._target(node.target)
                both = _OPERATORS[type(node.op)].format(target, value(node.value))
                return f"{target} = {both};"
            case ast.If():
                other = f" else {{\n{self._block(node.orelse)}\n}}" if node.orelse else ""
                return f"if ({self._truth(node.test)}) {{\n{self._block(node.body)}\n}}{other}"
            case ast.For(orelse=[]):
                head = f"for ({self._target(node.target)} of py.iter({value(node.iter)}))"
                return f"{head} {{\n{self._block(node.body)}\n}}"
            case ast.While(orelse=[]):
                return f"while ({self._truth(node.test)}) {{\n{self._block(node.body)}\n}}"
            case ast.Break():
                return "break;"
            case ast.Continue():
                return "continue;"
            case ast.Raise():
                return f"throw new Error({json.dumps(ast.unparse(node))});"
            case ast.Try(orelse=[], finalbody=[]):
                # JavaScript does not raise where Python does: 1/0 and exp(1000) are infinite.
                return self._block(node.body)
            case ast.Match():
                return self._match(node)
            case ast.FunctionDef():
                parameters, body = self._signature(node.args, node.body)
                listed = self._listed(node.args)
                return f"{_safe(node.name)} = py.def({listed}, ({parameters}) => {{\n{body}\n}});"
        raise self._refuse(node)

    def _stored(self, target: ast.Subscript, given: str) -> str:
        place = self.expression(target.value)
        if isinstance(target.slice, ast.Slice):
            return f"py.put({place}, {self._slice(target.slice)}, {given});"
        return f"{place}[{self.expression(target.slice)}] = {given};"

    def _target(self, node: ast.expr) -> str:
        match node:
            case ast.Name():
                return _safe(node.id)
            case ast.Attribute():
                return f"{self.expression(node.value)}.{node.attr}"
            case ast.Starred():
                return f"...{self._target(node.value)}"
            case ast.Tuple() | ast.List():
                return f"[{', '.join(map(self._target, node.elts))}]"
        raise self._refuse(node)

    def _match(self, node: ast.Match) -> str:
        subject = self.expression(node.subject)
        text = ""
        for case in node.cases:
            if case.guard is not None:
                raise self._refuse(case.pattern)
            test = self._pattern(case.pattern, subject)
            text += f"{' else ' if text else ''}if ({test}) {{\n{self._block(case.body)}\n}}"
        return text

    def _pattern(self, pattern: ast.pattern, subject: str) -> str:
        match pattern:
            case ast.MatchValue():
                return f"py.eq({subject}, {self.expression(pattern.value)})"
            case ast.MatchOr():
                return " || ".join(self._pattern(each, subject) for each in pattern.patterns)
            case ast.MatchAs(pattern=None, name=None):
                return "true"
        raise self._refuse(pattern)

    # ---- expressions ----

    def _truth(self, node: ast.expr) -> str:
        """A condition."""
        return self.expression(node) if _is_boolean(node) else f"py.truth({self.expression(node)})"

    def expression(self, node: ast.expr) -> str:
        value = self.expression
        match node:
            case ast.Constant():
                return literal(node.value)
            case ast.Name():
                return self._name(node.id)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
            case ast.BinOp() if type(node.op) in _OPERATORS:
                return _OPERATORS[type(node.op)].format(value(node.left), value(node.right))
            case ast.UnaryOp(op=ast.Not()):
                return f"!{self._truth(node.operand)}"
            case ast.UnaryOp(op=ast.USub()):
                return f"(-{value(node.operand)})"
            case ast.BoolOp():
                return self._either(node)
            case ast.Compare():
                sides = list(map(value, (node.left, *node.comparators)))
                pairs = zip(node.ops, sides, sides[1:], strict=False)
                tests = [_COMPARISONS[type(op)].format(a, b) for op, a, b in pairs]
                return tests[0] if len(tests) == 1 else f"({' && '.join(tests)})"
            case ast.IfExp():
                return f"({self._truth(node.test)} ? {value(node.body)} : {value(node.orelse)})"
            case ast.Tuple() | ast.List():
                return f"[{', '.join(map(value, node.elts))}]"
            case ast.Starred():
                return f"...py.iter({value(node.value)})"
            case ast.Dict():
                entries = [
                    f"...{value(each)}" if key is None else f"[{value(key)}]: {value(each)}"
                    for key, each in zip(node.keys, node.values, strict=True)
                ]
                return f"({{{', '.join(entries)}}})"
            case ast.ListComp() | ast.GeneratorExp():
                return self._comprehension(node.generators, node.elt)
            case ast.DictComp():
                pair = ast.Tuple([node.key, node.value], ast.Load())
                return f"Object.fromEntries({self._comprehension(node.generators, pair)})"
            case ast.Lambda():
                return self._lambda(node)
            case ast.JoinedStr():
                return f"({' + '.join(map(self._formatted, node.values)) or literal('')})"
            case ast.Subscript(slice=ast.Slice() as part):
                return f"py.slice({value(node.value)}, {self._slice(part)})"
            case ast.Subscript():
                return f"py.at({value(node.value)}, {value(node.slice)})"
        raise self._refuse(node)

    def _name(self, name: str) -> str:
        if any(name in scope for scope in self.scopes):
            return _safe(name)
        if name not in self.globals:
            if name in vars(builtins):
                return f"py.{_safe(name)}"
            raise Untranslatable(f"{self.where}: {name} is not known")
        found: Any = self.globals[name]
        if isinstance(found, ModuleType) and found.__name__ in _MODULES:
            return f"py.{found.__name__}"
        own_name = getattr(found, "__name__", "")
        if own_name and vars(math).get(own_name) is found:
            return f"py.math.{own_name}"
        if found is product:
            return "py.product"
        if isinstance(found, (type, FunctionType)):
            return self.program.name(found)
        return self.program.constant(name, found)

    def _attribute(self, node: ast.Attribute) -> str:
        if _is_super(node.value):
            raise self._refuse(node)
        self.program.uses(node.attr, call=False)
        if node.attr in _METHODS:
            return f"py.bound({self.expression(node.value)}, {json.dumps(node.attr)})"
        if isinstance(node.value, ast.Name) and node.value.id == self.receiver:
            self.program.uses(node.attr, call=True)
        return f"{self.expression(node.value)}.{node.attr}"

    def _call(self, node: ast.Call) -> str:
        given = [self.expression(each) for each in node.args]
        named = {each.arg: self.expression(each.value) for each in node.keywords}
        keywords = ", ".join(
            f"...{each}" if name is None else f"{json.dumps(name)}: {each}"
            for name, each in named.items()
        )
        listed = ", ".join(given)
        match node.func:
            case ast.Attribute(value=inner, attr=name) if _is_super(inner):
                assert self.owner is not None
                self.program.uses(name, call=True)
                owner, self_ = self.program.name(self.owner), self.receiver
                own = f"py.super({owner}, {self_}, {json.dumps(name)})"
                return f"py.call({self_}, {own}, [{listed}], {{{keywords}}})"
            case ast.Attribute(value=inner, attr=name):
                self.program.uses(name, call=True)
                target = self.expression(inner)
                if name in _METHODS and not keywords:
                    return f"py.method({target}, {json.dumps(name)}, [{listed}])"
                if keywords:
                    return f"py.call({target}, {json.dumps(name)}, [{listed}], {{{keywords}}})"
                return f"{target}.{name}({listed})"
            case ast.Name(id="getattr") if isinstance(node.args[1], ast.Constant):
                self.program.uses(str(node.args[1].value), call=False)
            case ast.Name(id="cast"):
                return given[1]
        target = self.expression(node.func)
        known = self.globals.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if isinstance(known, type) and known is not product:
            return f"py.new({target}, [{listed}], {{{keywords}}})" if keywords else (
                f"new {target}({listed})")  # fmt: skip
        return f"py.call(null, {target}, [{listed}], {{{keywords}}})" if keywords else (
            f"{target}({listed})")  # fmt: skip

    def _either(self, node: ast.BoolOp) -> str:
        both = isinstance(node.op, ast.And)
        if all(map(_is_boolean, node.values)):
            return f"({(' && ' if both else ' || ').join(map(self.expression, node.values))})"
        *firsts, text = map(self.expression, node.values)
        for first in reversed(firsts):
            text = f"py.{'and' if both else 'or'}({first}, () => {text})"
        return text

    def _comprehension(self, generators: Sequence[ast.comprehension], element: ast.expr) -> str:
        first, *others = generators
        source = f"py.list({self.expression(first.iter)})"
        self.scopes.append(set(_names(first.target)))
        target = self._target(first.target)
        for test in first.ifs:
            source += f".filter(({target}) => {self._truth(test)})"
        if others:
            text = f"{source}.flatMap(({target}) => {self._comprehension(others, element)})"
        else:
            text = f"{source}.map(({target}) => {self.expression(element)})"
        self.scopes.pop()
        return text

    def _lambda(self, node: ast.Lambda) -> str:
        """`lambda n=n: …` keeps the n of now, so defaults are computed outside. What comes after
        `*place` is nothing but such defaults.
        """
        arguments, only = self._arguments(node.args), self._keywords(node.args)
        if node.args.kwarg or (only and not node.args.vararg) or not all(each for _, each in only):
            raise self._refuse(node)
        usual = [(f"${name}", self.expression(each)) for name, each in arguments if each]
        usual += [(_safe(name), self.expression(each)) for name, each in only if each]
        parameters = [f"{_safe(n)} = ${n}" if each else _safe(n) for n, each in arguments]
        rest = [node.args.vararg.arg] if node.args.vararg else []
        parameters += [f"...{_safe(name)}" for name in rest]
        self.scopes.append({*rest, *(name for name, _ in (*arguments, *only))})
        text = f"({', '.join(parameters)}) => {self.expression(node.body)}"
        self.scopes.pop()
        if not usual:
            return f"({text})"
        names, values = zip(*usual, strict=True)
        return f"(({', '.join(names)}) => ({text}))({', '.join(values)})"

    def _formatted(self, node: ast.expr) -> str:
        match node:
            case ast.Constant():
                return literal(node.value)
            case ast.FormattedValue(conversion=-1):
                shown = self.expression(node.value)
                if node.format_spec is None:
                    return f"py.str({shown})"
                return f"py.formatted({shown}, {self.expression(node.format_spec)})"
        raise self._refuse(node)

    def _slice(self, node: ast.Slice) -> str:
        ends = (node.lower, node.upper, node.step)
        return ", ".join("null" if each is None else self.expression(each) for each in ends)


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "super"


def _is_boolean(node: ast.expr) -> bool:
    """Whether an expression is true or false, and nothing that counts as such."""
    if isinstance(node, ast.BoolOp):
        return all(map(_is_boolean, node.values))
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("isinstance", "all", "any", "math.isnan", "math.isinf")
    return isinstance(node, ast.Compare) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def _assigned(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The local variables of a function, without those of functions inside it."""
    for node in body:
        match node:
            case ast.Assign():
                for target in node.targets:
                    yield from _names(target)
            case ast.AnnAssign() | ast.AugAssign():
                yield from _names(node.target)
            case ast.FunctionDef():
                yield node.name
            case ast.For():
                yield from _names(node.target)
                yield from _assigned(node.body)
            case ast.If() | ast.While():
                yield from _assigned([*node.body, *node.orelse])
            case ast.Try():
                yield from _assigned(node.body)
            case ast.Match():
                for case in node.cases:
                    yield from _assigned(case.body)


def _names(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Name():
            yield target.id
        case ast.Starred():
            yield from _names(target.value)
        case ast.Tuple() | ast.List():
            for each in target.elts:
                yield from _names(each)
