"""The language below the level of networks: values, expressions, signatures, arguments.

values.py     the values of expressions; evaluate.py: expressions to values
signature.py  what may follow a word; kinds.py: kinds of arguments, as numbers, sizes, names
declared.py   words as classes; binding.py: arguments to them
vocabulary.py the words of the language; overrides.py: what `--set` says; problems.py: errors
"""
