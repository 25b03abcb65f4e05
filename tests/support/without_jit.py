"""What is different with NUMBA_DISABLE_JIT=1, as `make coverage` runs the tests: kernels are plain Python then.

They are up to a thousand times slower, so tests that compute much are left out: those that took more than some 15
seconds each, and those that compare bits of matrix products, whose order of additions is NumPy's then.
`make coverage` runs them afterwards, compiled, for the Python around the kernels (--too-slow-without-jit).
"""

import os

IS_OFF = os.environ.get("NUMBA_DISABLE_JIT") == "1"

FILES = (
    "tests/trust/",
    "tests/experiments/compare/test_comparison.py",
    "tests/experiments/memory/test_image_memory.py",
    "tests/experiments/role_of_gamma/test_gamma_exchange.py",
    "tests/grader/test_promises.py",
)
TESTS = {
    "test_a_learned_velocity_is_not_written_as_a_residual_network",
    "test_a_row_does_not_depend_on_the_tile_it_is_in",
    "test_compare_prints_a_table_and_saves_results",
    "test_costs",
    "test_evaluate_scores_the_weights_that_train_wrote",
    "test_evaluate_writes_what_was_taken_for_what",
    "test_every_rival_and_seed_is_trained_once",
    "test_gamma_0_is_the_residual_network_to_the_bit",
    "test_generated_shapes_and_pieces",
    "test_large_images",
    "test_losses_are_those_of_networks_trained_one_by_one",
    "test_norms_are_brought_down_to_the_limit",
    "test_peak_of_a_training_step_is_what_the_allocator_says",
    "test_pytest_runs_the_suite_on_a_file",
    "test_same_bits_for_any_number_of_threads",
    "test_same_bits_for_many_rows",
    "test_spectral_norm",
    "test_stored_backprop_holds_what_the_tapes_saved_and_nothing_else",
    "test_the_batch_is_not_kept_by_a_step_that_reuses_memory",
    "test_the_count_agrees_with_the_allocator",
    "test_the_ways_differ_as_they_should",
    "test_threads_and_buffers_change_no_bit",
    "test_three_ways_to_the_same_bits",
    "test_train_writes_a_checkpoint_and_curves_and_can_go_on",
    "test_training_that_diverges_is_an_error_with_advice",
    "test_what_lies_in_a_used_buffer_does_not_matter",
    "test_winograds_rounding_errors_do_not_keep_the_iteration_going",
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
    return file.startswith(FILES) or name.partition("[")[0] in TESTS
