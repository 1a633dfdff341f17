"""Networks in the formats of others: ONNX, torch.export, safetensors.

What is written is read back and compared with the module before the file appears.

Metadata (of ONNX: `metadata_props`; of .pt2: `dotcnn.json` in it; of safetensors: its header):

    classes                 names, in the order of the outputs (JSON)
    preparation             what `cnn train` keeps of preprocessing (JSON), for this program
    dotcnn.preprocessing    the same for others (JSON): sizes and how they are rounded,
                            interpolation, antialiasing, rounding to bytes, mean, std, order, layout
    dotcnn.output           `logits` or `probabilities`
    several                 `yes` where an image may be of several classes at once
    dotcnn.network, dotcnn.version, dotcnn.spec, dotcnn.spec_sha256, dotcnn.input, dotcnn.classes,
    dotcnn.weights          what was exported, by which version

script.py writes a script that does all of this with numpy, Pillow and onnxruntime.
"""
