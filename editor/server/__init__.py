"""The language server: what an editor shows while a spec is typed.

language_server.py   the server: which request is answered where; pygls speaks the protocol
document.py          one open text: parsed, compiled, with what was known before a mistake
positions.py         offsets of the text <-> lines and columns of the protocol
executed.py          what each statement came to: shapes, parameters, calls
names.py             definitions and uses: blocks, parameters, labels
context.py           what stands before the cursor, in text that need not be correct
diagnostics.py       mistakes, and actions.py: their fixes
hints.py             shapes at line ends
hover.py             a word explained where it stands
completion.py        what can be written here; signature.py: the arguments of a word
navigation.py        definition, references, rename, calls of blocks
outline.py           symbols, folding, selection; lenses.py: totals above definitions
tokens.py            colors

All answers are types of the protocol. Nothing here starts a thread, reads a pipe or needs a server:
a page in a browser calls the same functions.
"""
