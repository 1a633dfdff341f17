"""Small networks that between them have all that a report can show."""

from __future__ import annotations

from dotcnn.compiler.analysis import Analysis, Setting, analyse
from networks import network

LENET = """\
network LeNet5 {
  input 1x32x32
  conv 6 5x5, tanh
  pool avg 2x2
  conv 16 5x5, tanh
  pool avg 2x2, flatten
  fc 120, tanh
  fc 84, tanh
  fc 10
}
"""

RESIDUAL = """\
block basic(width, stride=1) {
  residual {
    conv width 3x3 stride=stride same, bn, relu
    conv width 3x3 same, bn
  }
  relu
}

network Small(width=16) {
  input 3x32x32
  stem: conv width 3x3 same, bn, relu
  layer1: repeat 3 { basic width }
  layer2: repeat 4 as i { basic 2*width stride=max(1, 2 - i) }
  pool avg global, flatten
  fc 10
}
"""

INCEPTION = """\
block unit(out, kernel=1) { conv out kernel same, bn, relu }
block mixed(a, b, c) {
  inception {
  | unit a
  | unit b/2, unit b 3
  | pool max 3x3 stride=1 same, unit c
  }
}

network Mixed {
  input 3x64x64
  unit 32 7
  mixed 16 24 8
  aux weight=0.3 { pool avg global, flatten, fc 10 }
  pool max 3x3 stride=2 same
  mixed 32 48 16
  pool avg global, flatten, dropout 0.4
  fc 10
}
"""

UNET = """\
block twice(width) { repeat 2 { conv width 3x3 same, relu } }

network UNet {
  input 3x32x32
  high: twice 8
  pool max 2x2
  low: twice 16
  pool max 2x2
  twice 32
  deconv 16 2x2 stride=2
  concat low
  twice 16
  deconv 8 2x2 stride=2
  concat high
  twice 8
  conv 2 1x1
}
"""

DENSE = """\
network Dense {
  input 3x32x32
  conv 16 3x3 same
  repeat 5 { dense { bn, relu, conv 8 3x3 same } }
  pool avg global, flatten
  fc 10
}
"""

VECTOR = "network Vector { input 20, fc 8, relu, fc 3 }\n"

ALL = {
    "lenet": LENET,
    "residual": RESIDUAL,
    "inception": INCEPTION,
    "unet": UNET,
    "dense": DENSE,
    "vector": VECTOR,
}


def analysed(text: str, **setting: object) -> Analysis:
    return analyse(network(text), Setting(**setting))  # type: ignore[arg-type]
