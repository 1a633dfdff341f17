"""Lists of maps: what they compute is what is written, however they are made, handed on and
carried."""

from __future__ import annotations

import pytest

from networks import network

from .equality import hold

STREAMS = """
block unit(width) { conv width 3x3 same, bn, relu }
block exchange(width) {
  branches: list { for map in input as i { | from map, unit width*2**i } }
  list {
    for target in branches as i {
      | add {
          for map in branches as j {
            | from map
              if j < i { repeat i - j { conv width*2**i 3x3 stride=2 same, bn } }
              if j > i { conv width*2**i 1x1, bn, upsample 2**(j - i) }
          }
        }
        relu
    }
  }
}
block grow(width) { list { | | from input[-1], conv width 3x3 stride=2 same, relu } }
network Streams {
  input 3x16x16
  unit 4
  list { | unit 4 | conv 8 3x3 stride=2 same, relu }
  first: exchange 4
  grow 16
  second: repeat 2 { exchange 4 }
  from second[2]
  pool avg global
  small: flatten
  add { | from second[0] | from second[1], conv 4 1x1, upsample 2 }
  pool avg global, flatten
  concat small
  fc 3
}
"""

OCTAVE = """
block octave(widths, size=3) {
  list {
    for width in widths as i {
      | add {
          for map in input as j {
            | from map
              if i > j { pool avg 2x2 }
              conv width size same
              if i < j { upsample 2 }
          }
        }
    }
  }
}
block norms { list { for map in input { | from map, bn, relu } } }
network Octave {
  input 3x16x16
  list { | conv 6 3x3 same, bn, relu }
  octave [6, 2], norms
  repeat 2 {
    octave [6, 2], norms
    list { for map in input as i { | add { | from map | conv_of input[i] } } }
  }
  octave [6]
  concat
  pool avg global, flatten, fc 3
}
block conv_of(map) { from map, conv channels 3x3 same, relu }
"""

CARRIED = """
network Carried {
  input 3x8x8
  conv 4 3x3 same
  one: relu
  conv 4 3x3 same
  two: relu
  maps: from [one, two]
  from two
  repeat 3 {
    add maps
    conv 4 3x3 same
    new: relu
    carry maps=[new, maps[0]]
  }
  concat maps
  flatten, fc 3
}
"""

GROWING = """
network Growing {
  input 3x8x8
  conv 4 3x3 same
  one: relu
  maps: from [one]
  from one
  repeat 3 as i {
    concat { | from maps }
    conv 4 3x3 same
    new: relu
    carry maps=maps + [new]
  }
  add maps[1..len(maps)]
  flatten, fc 3
}
"""

GIVEN = """
block joined(maps, width, more=len(maps)) {
  concat maps
  conv width*more 1x1
  list {
    |
      for map in maps[0..2] as i {
        | from map
          if i > 0 { relu }
          conv width 1x1
      }
  }
}
network Given {
  input 3x8x8
  conv 4 3x3 same
  one: relu
  conv 4 3x3 same
  two: relu
  three: conv 2 1x1
  a: joined [one, two] 3
  b: joined a + [three] 2
  c: joined maps=[b[1], a[0], one] width=4
  from b[2]
  for map in c as i { add { | conv 2 1x1 | from map, conv 2 1x1 } }
  concat b[0]
  flatten, fc 3
}
"""

PYRAMID = """
block pyramid(maps, width) {
  from maps[-1], conv width 1x1
  top: relu
  small: from [top]
  repeat len(maps) - 1 as i {
    upsample 2
    side: from maps[len(maps) - 2 - i], conv width 1x1
    add { | from input, upsample 2 | from side }
    carry small=[input] + small
  }
}
network Pyramid {
  input 3x16x16
  stem: conv 4 3x3 same
  second: conv 6 3x3 stride=2 same
  third: conv 8 3x3 stride=2 same
  sizes: list { | from stem | from second | from third }
  from sizes[0]
  head: residual { conv 4 3x3 same, bn }
  flat: list { for map in sizes[1..3] as i { | from map, conv 4 1x1, share head, pool avg global } }
  add { | from head, pool avg global | from flat }
  add flat[0]
  flatten, fc 2
}
"""

TURNED = """
network Turned {
  input 3x8x8
  conv 4 3x3 same
  one: relu
  conv 4 3x3 same
  two: relu
  turned: list { | from two | from one | from two }
  list { for map in turned as i { | from map, if i < 2 { conv 2 1x1 } else { conv 2 1x1, relu } } }
  inner: concat
  list {
    for map in [one, two] { | from map, conv 2 1x1 }
    for map in turned { | from map, conv 2 1x1 }
  }
  mul
  concat inner
  flatten, fc 3
}
"""

ALL = {
    "streams": STREAMS, "octave": OCTAVE, "carried": CARRIED, "growing": GROWING, "given": GIVEN,
    "pyramid": PYRAMID, "turned": TURNED,
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_the_module_computes_what_is_written(name: str) -> None:
    built = network(ALL[name])
    hold(built)
    hold(built, flat=True)
