"""Export of networks to ONNX, torch.export and safetensors.

A file is read back and compared with the module before it is put in place.

Metadata (ONNX: `metadata_props`; .pt2: `dotcnn.json` in the archive; safetensors: the header):

    classes                 names, in the order of the outputs (JSON)
    preparation             the preprocessing as `cnn train` records it (JSON), for this program
    dotcnn.preprocessing    the same for other programs (JSON): sizes and how they are rounded,
                            interpolation, antialiasing, rounding to bytes, mean, std, order, layout
    dotcnn.output           `logits`, `probabilities`, `numbers, …`; with --whole, names of outputs
    task                    `classification`, `multi_label`, `segmentation` or `regression`
    means, deviations       of numbers: by which they are standardized (JSON)
    dotcnn.palette          of masks: the color of each class (JSON)
    dotcnn.whole, dotcnn.images     with --whole: that the graph has everything, and what goes in
    dotcnn.network, dotcnn.version, dotcnn.spec, dotcnn.spec_sha256, dotcnn.input, dotcnn.classes,
    dotcnn.weights          the network, its spec and input, and the version that exported it

script.py writes a script that does all of this with numpy, Pillow and onnxruntime.
"""
