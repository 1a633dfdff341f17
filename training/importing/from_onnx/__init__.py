"""Networks of ONNX files.

onnx_network.py     a file as a graph of layers: inputs, outputs, and what runs it
onnx_nodes.py       nodes in an order of computation, each with its place in a text
onnx_reader.py      reads nodes one by one, functions and branches too; weights; names of modules
layout.py           values of nodes: tensors, maps seen with their channels last, constants
constant_values.py  what is computed from constants alone: shapes, tables
elementwise.py      operators number by number
onnx_layers.py      operators with windows, weights or statistics
rearranging.py      operators that move numbers or reduce axes
onnx_session.py     runs the file with onnxruntime
"""
