"""Weights from others' files (read.py, onnx.py), and which of them belongs where (match/)."""
