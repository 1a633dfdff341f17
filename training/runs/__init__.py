"""Many runs beside one another: `cnn runs`. Nothing here imports torch, and all that a run folder
holds is read as somebody else's files.

    for run in find_runs(Path("runs")):
        print(run.name, run.state, run.metrics.get("top1"))

run_facts.py        RunFacts: what is known of a run; `read_run` reads it from its folder
find_runs.py        the runs in a folder, with those that belong to an ensemble, folds or a sweep
tags_and_note.py    what its user wrote about a run
spec_structure.py   the parameters and statements of a spec's text
run_differences.py  what differs between two runs, in spec and plan
seed_groups.py      runs that differ only in their seed
"""
