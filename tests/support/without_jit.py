"""What is different with NUMBA_DISABLE_JIT=1, as `make coverage` runs the tests: kernels are plain Python then.

They are up to a thousand times slower, so tests that compute much are left out: those that took more than some 15
seconds each, and those that compare bits of matrix products, whose order of additions is NumPy's then.
`make coverage` runs them afterwards, compiled, for the Python around the kernels (--too-slow-without-jit).
"""

import os

IS_OFF = os.environ.get("NUMBA_DISABLE_JIT") == "1"

ALL = None
TOO_SLOW = {
    "tests/course/exercises/test_images.py": (
        "test_largest_batch",
        "test_small_measurements_of_other_sizes_will_do",
    ),
    "tests/experiments/test_compare.py": ALL,
    "tests/experiments/test_crossing.py": ("test_training_brings_the_loss_down_and_the_figure_shows_it",),
    "tests/experiments/test_compare_report.py": ALL,
    "tests/experiments/test_gamma_exchange.py": ALL,
    "tests/experiments/test_gamma_limits.py": ("test_gamma_0_is_the_residual_network_to_the_bit",),
    "tests/experiments/test_image_memory.py": ALL,
    "tests/experiments/test_learning_to_optimize.py": ("test_losses_are_those_of_networks_trained_one_by_one",),
    "tests/experiments/test_ode.py": ("test_claims_hold",),
    "tests/experiments/test_rings.py": ("test_a_few_steps_of_training_separate_two_rings_better_than_a_line",),
    "tests/experiments/test_table_one.py": ("test_costs",),
    "tests/grader/test_promises.py": ALL,
    "tests/grader/test_report.py": ("test_pytest_runs_the_suite_on_a_file", "test_pytest_says_what_cannot_be_loaded"),
    "tests/kernels/test_simd.py": (
        "test_a_row_does_not_depend_on_the_tile_it_is_in",
        "test_products_are_added_in_order_each_with_one_rounding",
    ),
    "tests/kernels/test_threads.py": ("test_same_bits_for_any_number_of_threads",),
    "tests/kernels/test_winograd.py": ("test_generated_shapes_and_pieces", "test_large_images"),
    "tests/models/test_convert.py": ("test_every_stage_comes_back_exactly",),
    "tests/models/test_resnet.py": ("test_imagenet_sizes",),
    "tests/nn/test_batch_norm_relu.py": ("test_same_bits_for_many_rows",),
    "tests/reversible/test_evaluation.py": ("test_stored_backprop_holds_what_the_tapes_saved_and_nothing_else",),
    "tests/reversible/test_every_network.py": ("test_exact_revnet_has_the_same_bits_at_any_depth",),
    "tests/reversible/test_every_networks_memory.py": (
        "test_checkpointed_grows_like_the_square_root",
        "test_reversible_does_not_grow_with_depth",
        "test_the_count_agrees_with_the_allocator",
    ),
    "tests/reversible/test_exactness.py": ("test_three_ways_to_the_same_bits",),
    "tests/reversible/test_iresnet.py": ("test_winograds_rounding_errors_do_not_keep_the_iteration_going",),
    "tests/reversible/test_lipschitz.py": ("test_norms_are_brought_down_to_the_limit", "test_spectral_norm"),
    "tests/reversible/test_memory.py": (
        "test_checkpointed_grows_like_the_square_root",
        "test_reversible_does_not_grow_with_depth",
        "test_stored_grows_in_proportion_to_depth",
        "test_the_ways_differ_as_they_should",
    ),
    "tests/reversible/test_revnet.py": ("test_adding_on_several_threads",),
    "tests/reversible/test_same_bits.py": (
        "test_the_batch_is_not_kept_by_a_step_that_reuses_memory",
        "test_three_ways_with_merged_blocks",
        "test_threads_and_buffers_change_no_bit",
        "test_what_lies_in_a_used_buffer_does_not_matter",
    ),
    "tests/test_main.py": (
        "test_a_learned_velocity_is_not_written_as_a_residual_network",
        "test_a_single_step_is_not_timed",
        "test_compare_prints_a_table_and_saves_results",
        "test_evaluate_scores_the_weights_that_train_wrote",
        "test_evaluate_writes_what_was_taken_for_what",
        "test_train_writes_a_checkpoint_and_curves_and_can_go_on",
        "test_training_that_diverges_is_an_error_with_advice",
    ),
    "tests/test_memory.py": ("test_peak_of_a_training_step_is_what_the_allocator_says",),
    "tests/trust/test_at_once.py": ALL,
    "tests/trust/test_ctrl_c.py": ALL,
    "tests/trust/test_determinism.py": ALL,
    "tests/trust/test_full_disk.py": ALL,
    "tests/trust/test_no_cache.py": ALL,
}


def configure(config):
    """NumPy warns of integers that wrap, and of floats in places that nobody looks at; compiled code does not."""
    if IS_OFF:
        config.addinivalue_line("filterwarnings", "ignore:overflow encountered:RuntimeWarning")
        config.addinivalue_line("filterwarnings", "ignore:invalid value encountered in (cast|matmul):RuntimeWarning")


def chosen(items, only_slow):
    """The tests to run: all; with the JIT off all but the slow ones; or only those."""
    if not (IS_OFF or only_slow):
        return items
    return [item for item in items if _is_too_slow(item) == only_slow]


def _is_too_slow(item):
    file, _, name = item.nodeid.partition("::")
    names = TOO_SLOW.get(file, ())
    return names is ALL or name.partition("[")[0] in names
