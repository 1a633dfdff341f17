"""Everything that needs torch: live modules, weights, export, and learning.

run.py          a whole training; ensemble.py: several; request.py, asked.py: what is asked for
loop.py         the loop, from top to bottom; learner.py: all that changes in it
losses.py  optimizers.py  schedules.py  average.py  stopping.py: directives, as torch has them
precision.py    what `auto` comes to; numerics.py: what that means
evaluation.py   how good it is; metrics.py: counted on the device; gauge.py: while it learns
keeper.py       what is written, and when; checkpoint.py, run_folder.py, record.py: what and where;
                whole_file.py: whole or not at all; still.py: what never changes, once;
                same_plan.py: whether a run can go on
processes.py    several that learn together; distributed.py: started; sync_norm.py: their norms
watchdog.py     numbers that are none; memory.py: too little; failures.py: what torch says of it;
                signals.py: Ctrl-C
devices.py  allocator.py  seeding.py  fetch.py  watch.py  outcome.py  result.py
data/           what is learned from; augment/: how it is changed; transfer/: what is begun with
display/        how it is watched; page/: report.html; ready.py, assess.py, predict.py: afterwards
matching/       others' weights; weights.py: their files; load.py: live modules; export/: for others

Threads of torch that wait for one another do so by asking again and again, and take the time from
the ones that they wait for: with anything else running on the machine, steps of small networks
then take ten times as long. They are told to sleep, unless somebody has said otherwise, or torch is
there already and has made up its mind.
"""

import os
import sys

if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
