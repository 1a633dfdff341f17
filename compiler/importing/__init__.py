"""Reads networks of other tools and writes them as specs that a person could have written.

readers.py     which formats there are; each is one function in a file of its own
  darknet.py     Darknet, .cfg
  keras/         Keras, .json, whose places placed_json.py finds
  caffe.py       Caffe, .prototxt, in the text format that text_format.py reads (text_format.lark);
                 its layers are in caffe_layers.py, their values are read by caffe_values.py
  alignment.py   where one map lies on another, for crops that do not say it
graph.py       the imported network: layers as operations of the language, with name and place
normal.py      the one spelling of operations that do the same, and their arguments as text
structure.py   graph -> statements: residual, concat, gate, paths, labels
template.py    statements with the numbers apart, so that equal ones can be found
fold.py        equal statements become blocks and loops
  shortcuts.py    what is a residual elsewhere becomes `residual shortcut=match`
  sequences.py    lines that follow one another in several places become one
  progressions.py  numbers that grow from round to round; schedules of droppath
parameters.py  numbers that differ become parameters, with names and arithmetic between them
write.py       statements -> text
prove.py       the spec, compiled again, is the same network
"""
