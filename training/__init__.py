"""Everything that needs torch: live modules, weights, export, and learning.

Threads of torch that wait for one another do so by asking again and again, and take the time from
the ones that they wait for: with anything else running on the machine, steps of small networks
then take ten times as long. They are told to sleep, unless somebody has said otherwise, or torch is
there already and has made up its mind.
"""

import os
import sys

if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
