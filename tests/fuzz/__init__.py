"""Fuzzing: inputs that nobody wrote on purpose, and what must hold of every one of them.

frame.py      targets, limits of time and memory, mutations, where failures are kept: start there
targets/      one module a kind of input; a module put there is found by itself
__main__.py   `make fuzz`: many inputs, each named by a number, so that it can be run again
atheris.py    the same targets for atheris, which follows what parts of the code an input reaches
cases/        inputs that failed once, one folder a target; run by every `make test`
"""
