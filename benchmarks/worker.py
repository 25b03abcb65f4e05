"""One measurement in a process of its own: ``python -m benchmarks.worker MODULE FUNCTION '{"argument": ...}'``.

Imports only the module that measures, and so only the library to be measured: the memory of the process is that
library's.  Prints the result, a dictionary, as one line of JSON.
"""

import importlib
import json
import sys


def main():
    """Measure what the command line says."""
    module, function, arguments = sys.argv[1:]
    measure = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    print(json.dumps(measure(**json.loads(arguments)), allow_nan=False))


if __name__ == "__main__":
    main()
