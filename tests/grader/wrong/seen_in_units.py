"""Functions are evaluated at the integers themselves."""

BREAKS = {"exact forward": "f was evaluated at the integer x", "exact gradients": "mend that first"}


def seen(x):
    return 1.0 * x
