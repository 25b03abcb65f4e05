"""A quick look, at a few cases of each test; generated examples; the grader alone; Ctrl-C, which some tests press."""

import gc
import itertools
import signal

import examples
import pytest

from mininet import get_num_threads, set_num_threads

examples.register_profiles()


def pytest_configure(config):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job that a shell script runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption(
        "--few", type=int, metavar="N", help="run at most N cases of each parametrised test, spread evenly"
    )
    parser.addoption(
        "--least-examples", type=int, default=0, metavar="N", help="fail if fewer than N generated examples were tried"
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
    _keep(config, items, kept)


def _keep(config, items, chosen):
    chosen = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]


def _test(item):
    return item.nodeid.partition("[")[0]


@pytest.fixture
def set_threads():
    """`set_num_threads`; after the test there are as many as before."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def _frozen():
    """Tests, modules and kernels are there to stay; or every collection of garbage, of which `track_memory` begins with
    one, would look at all of them again.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """A process of pytest-xdist (-n) has ended: count its examples as well."""
    examples.TRIED.update(getattr(node, "workeroutput", {}).get("tried", {}))


def pytest_sessionfinish(session, exitstatus):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tried"] = dict(examples.TRIED)
    elif sum(examples.TRIED.values()) < session.config.getoption("least_examples") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    least, tried = config.getoption("least_examples"), sum(examples.TRIED.values())
    if tried or least:
        terminalreporter.section("generated examples")
        for name, count in sorted(examples.TRIED.items()):
            terminalreporter.write_line(f"{count:8,}  {name}")
        terminalreporter.write_line(f"{tried:8,}  in all" + f", at least {least:,} are wanted" * bool(least))
