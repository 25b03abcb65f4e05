"""An option of pytest that must be known before the tests are looked for: ``pytest --implementation PATH``."""


def pytest_addoption(parser):
    """Here, not in ``tests/``, since pytest looks for options beside the file that follows one it does not know yet."""
    parser.addoption(
        "--implementation", metavar="PATH", help="run the grader's tests on your own implementation, and nothing else"
    )
