"""Starting workers."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Would give some of the libraries another number of threads than the one they are told
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MININET_NUM_THREADS")


class WorkerError(Exception):
    """A worker failed; the message has what it wrote to its standard error."""


def run_worker(module, function, arguments, **variables):
    """What ``benchmarks.<module>.<function>(**arguments)`` returns in a new process.

    Parameters
    ----------
    module, function : str
    arguments : dict
        Of what JSON can hold.
    variables : str
        Additional environment variables.

    Raises
    ------
    WorkerError
    """
    output = run_python("-m", "benchmarks.worker", module, function, json.dumps(arguments), **variables)
    return json.loads(output.splitlines()[-1])


def run_python(*arguments, **variables):
    """The standard output of a new interpreter that runs in the project's folder."""
    environment = {name: value for name, value in os.environ.items() if name not in _THREAD_VARIABLES} | variables
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise WorkerError(
            f"python {' '.join(arguments)} ended with status {done.returncode}:\n{done.stderr or done.stdout}"
        )
    return done.stdout
