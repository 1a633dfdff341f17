"""Networks in the formats of others: ONNX, torch.export, safetensors.

What is written is read back and compared with the module before the file appears.
"""
