"""Reads files that somebody else wrote: weights, data, the files of a run.

open_file.py    opens a regular file of bounded size: not a named pipe, not a device
bad_file.py     BadFile: why a file cannot be used; converts the exceptions of libraries to it
json_text.py    JSON of bounded depth, checked against an expected form
zip_archive.py  zip: refuses encrypted or unusual members and zip bombs before unpacking
npz.py          numpy's .npz and .npy, without pickle
pickle_data.py  reads torch's pickles as plain data: a stack machine that runs no foreign code
torch_file.py   .pt, .pth, .ckpt: tensors from zip archives and from the older format
safetensors_file.py, onnx_file.py, hdf5_file.py
hdf5_check.py   reads all of an HDF5 file in a process of its own, before this one does
protobuf_wire.py  the fields of protocol buffers, whatever they mean

A file may claim anything. Names, counts, sizes and compression are checked first; then the file is
read once, and no code in it is executed. Every reader raises BadFile and no other exception; its
caller adds the name of the file in a diagnostic.
"""
