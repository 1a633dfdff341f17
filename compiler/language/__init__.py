"""What a statement means before there is a network: values, expressions, signatures, names.

values.py     what an expression comes to; evaluate.py: expressions to values
signature.py  what may follow a word; kinds.py: kinds of arguments, as numbers, sizes, names
declared.py   words as classes; binding.py: arguments to them
vocabulary.py the words of the language; overrides.py: what `--set` says; problems.py: errors
"""
