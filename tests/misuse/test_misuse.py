"""Every misuse in the tables is an error that names what is wrong, or works as the table says; nothing crashes."""

import collections
import inspect

import numpy as np
import pytest
from misuse import command_line, course, data, engine, experiments, functional, networks, neural, public, tools
from misuse.exceptions import EXCEPTIONS

from mininet import autodiff, manual_seed
from mininet.seeding import position

TABLES = [engine, functional, neural, networks, data, tools, experiments, course, command_line]
CASES = [row for table in TABLES for row in table.CASES]


@pytest.fixture(autouse=True)
def _engine_is_as_before():
    manual_seed(5)  # nobody else's
    yield
    assert autodiff.is_recording()
    assert not autodiff.is_replaying()
    assert position()[0] == 5


@pytest.mark.parametrize("row", [row for row in CASES if row.error], ids=str)
def test_refused(row, capfd):
    with pytest.raises(row.error) as raised:
        row.call(row.of)
    text = str(raised.value)
    if isinstance(raised.value, SystemExit):  # of the command line: status 2 after a message, or the message and 1
        text = capfd.readouterr().err if raised.value.code == 2 else raised.value.code
    assert row.message in text
    assert text.strip()


@pytest.mark.parametrize("row", [row for row in CASES if row.expected], ids=str)
def test_works(row):
    actual, expected = row.call(row.of), row.expected()
    assert np.shape(actual) == np.shape(expected)
    np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected))


def test_no_row_stands_twice():
    counts = collections.Counter(map(str, CASES))
    assert not [row for row, count in counts.items() if count > 1]


def test_every_public_callable_is_in_a_table():
    spoken_of = {id(inspect.unwrap(getattr(row.of, "__func__", row.of))) for row in CASES}
    excepted = {name for names in EXCEPTIONS.values() for name in names}
    missing = {
        name
        for name, value in public.callables().items()
        if id(inspect.unwrap(getattr(value, "__func__", value))) not in spoken_of
    }
    assert sorted(missing - excepted) == []
    assert sorted(excepted - missing) == []  # no exception that is none
