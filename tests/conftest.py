"""A quick look, at a few cases of each test; the grader alone; and Ctrl-C, which some tests press."""

import itertools
import signal


def pytest_configure(config):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job that a shell script runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption(
        "--few", type=int, metavar="N", help="run at most N cases of each parametrised test, spread evenly"
    )


def pytest_ignore_collect(collection_path, config):
    is_other = collection_path.suffix == ".py" and collection_path.name != "test_promises.py"
    return True if is_other and config.getoption("implementation") else None


def pytest_collection_modifyitems(config, items):
    limit = config.getoption("few")
    if limit is None:
        return
    kept = []
    for _, cases in itertools.groupby(sorted(items, key=_test), key=_test):
        cases = list(cases)
        kept += [cases[len(cases) * i // limit] for i in range(limit)] if len(cases) > limit else cases
    chosen = set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]


def _test(item):
    return item.nodeid.partition("[")[0]
