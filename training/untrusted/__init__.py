"""Reading files that somebody else wrote: weights, data, the files of a run.

open_file.py    opens a regular file of bounded size: not a named pipe, not a device
bad_file.py     BadFile, why a file cannot be used; turns what a library raises into it
json_text.py    JSON of bounded depth, and whether it has the expected form
zip_archive.py  zip: encrypted, unusual or exploding members are refused before they are unpacked
npz.py          numpy's .npz and .npy, without pickle
pickle_data.py  pickles of torch as plain data: a stack machine that calls nothing
torch_file.py   .pt, .pth, .ckpt: tensors out of zip archives and out of the older format
safetensors_file.py, onnx_file.py

A file may claim anything. Names, counts, sizes and compression are checked first, then it is read,
once; nothing in it is run. Every reader raises BadFile and nothing else, and whoever calls it says
in a diagnostic which file that was.
"""
