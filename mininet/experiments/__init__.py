"""The paper's experiments, a file for each: functions that a notebook can call, and ``reproduce`` for the command line.

`claim` has what they share, `reproduce` their names and the pages of results.  Beside the file with the name of the
experiment stand its parts:

- crossing, rings, animations: `toy`, `nested_rings`
- memory: `side_information`, `power_law`, `image_memory`
- drift: `drift_report`
- ode: `continuous_limit`
- linear_maps: `linear_flow`, `representable`, `matrix_search`, `linear_networks`
- learning_to_optimize: `sparse_coding`, `fixed_points`; its network is `mininet.models.unrolled`
- role_of_gamma: `gamma_limits`, `gamma_exchange`
- images, fine_tuning: `image_training`, which ``python -m mininet train`` runs as well
- table_one

`compare` with `compare_report` is the demo, `step_profile` says where the time of a training step goes.
"""
