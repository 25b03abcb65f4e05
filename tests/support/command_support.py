"""Commands as a user runs them."""

import contextlib
import io

from mininet.__main__ import main


def refusal(arguments):
    """What a command says that refuses its arguments: one line, and the exit status is 2."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        status = main(list(map(str, arguments)))
    (line,) = said.getvalue().splitlines()
    assert status == 2, line
    return line
