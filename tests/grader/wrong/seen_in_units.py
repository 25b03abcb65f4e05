"""Functions are evaluated at the integers themselves."""

BREAKS = {"exact forward": "must see x * 2.0**-40", "exact gradients": "mend that first"}


def seen(x):
    return 1.0 * x
