"""The promises of a momentum block: mininet's own network keeps them, or with --implementation PATH somebody's file."""

import own_block
import pytest

from mininet.grader import PROMISES, CannotLoad, load, promises_for, try_promise
from mininet.grader.report import KEPT


def pytest_generate_tests(metafunc):
    path = metafunc.config.getoption("implementation")
    try:
        implementation = load(path or own_block)
    except CannotLoad as error:
        metafunc.parametrize(("implementation", "promise"), [(error, None)], ids=[path])
        return
    promises = promises_for(implementation) if path else PROMISES
    cases = [(implementation, promise) for promise in promises]
    metafunc.parametrize(("implementation", "promise"), cases, ids=[promise.name for promise in promises])


def test_promise_is_kept(implementation, promise):
    if isinstance(implementation, CannotLoad):
        pytest.fail(str(implementation), pytrace=False)
    outcome = try_promise(promise, implementation)
    if outcome.status != KEPT:
        pytest.fail(str(outcome), pytrace=False)
