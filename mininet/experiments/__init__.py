"""The paper's experiments: functions that a notebook can call, and ``reproduce`` for the command line.

Each folder is an experiment, or a few that belong together; `ode` and `table_one` are single files.  `accuracy` trains
with what `images` has, and `too_deep` with what `accuracy` has; no other folder imports from another one.  What several
of them need stands beside the folders:

- `claim`: what an experiment is told, and what it reports
- `reproduce`: the experiments by name, and their pages of results
- `machine`: what figures are measured on
- `digits`: a network for digits; `step_profile` says where the time of its training step goes
- `step_memory`, `side_information`: what a training step holds, and what exact arithmetic keeps
- `continuous_limit`: networks as numerical methods for differential equations
"""
