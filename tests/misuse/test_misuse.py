"""Every misuse in the tables is an error that names what is wrong, or works as the table says; nothing crashes."""

import inspect

import numpy as np
import pytest
from misuse import command_line, course, data, engine, functional, networks, neural, public, tools

from mininet import autodiff, manual_seed
from mininet.seeding import position

TABLES = [engine, functional, neural, networks, data, tools, course, command_line]
CASES = [row for table in TABLES for row in table.CASES]
USES = {}  # rows by what they are about
for _row in CASES:
    USES.setdefault(str(_row).partition(":")[0], []).append(_row)


@pytest.mark.parametrize("name", USES)
def test_what_is_wrong_is_refused_and_what_is_odd_works(name, capfd):
    wrong = []
    for row in USES[name]:
        manual_seed(5)  # nobody else's
        fault = (_not_refused if row.error else _not_right)(row, capfd)
        if fault or not autodiff.is_recording() or autodiff.is_replaying() or position()[0] != 5:
            wrong.append(f"{row}: {fault or 'the engine is not as before'}")
    assert not wrong, "\n".join(wrong)


def _not_refused(row, capfd):
    """What is wrong with how a misuse is refused, if anything."""
    try:
        row.call(row.of)
    except row.error as error:
        text = str(error)
        if isinstance(error, SystemExit):  # of the command line: status 2 after a message, or the message and 1
            text = capfd.readouterr().err if error.code == 2 else error.code
        return None if row.says in text and text.strip() else text or "no message"
    except Exception as error:
        return repr(error)
    return "not refused"


def _not_right(row, _):
    """What is wrong with the result of an odd use, if anything."""
    actual, expected = np.asarray(row.call(row.of)), np.asarray(row.expected())
    try:
        np.testing.assert_array_equal(actual, expected, strict=True)
    except AssertionError as error:
        return str(error)
    return None


def test_no_row_stands_twice():
    assert len(set(map(str, CASES))) == len(CASES)


def test_every_public_callable_is_in_a_table():
    spoken_of = {id(inspect.unwrap(row.of)) for row in CASES}
    assert not [name for name, value in public.callables().items() if id(inspect.unwrap(value)) not in spoken_of]
