"""What benchmarks/importing.py measures.

table.py      rows, printed as they come, and what they sum up to
spec_lines.py how many lines a spec of the gallery has
corpora.py    ../shared/corpora, beside the reference's counts
gallery.py    our own specs, there and back
modules.py    torchvision and timm, as modules and by ONNX
times.py      how long it takes
damaged.py    files that are wrong, each in a process with limits
"""
