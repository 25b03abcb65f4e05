"""A mutant put in the place of functions that exist already: their code is exchanged, nothing is imported again."""

import functools
import gc
import inspect
import pathlib
import types


def exchanges(mutant):
    """Pairs of code, before and after, of the functions that the mutant changes; None if it changes other code.

    Code that runs when a module is imported, or a class or a default value made, has run already.
    """
    path = str(pathlib.Path(mutant.file).resolve())
    mutated = compile(mutant.make(), path, "exec", dont_inherit=True)
    try:
        return list(_pairs(_compiled(path), mutated))
    except _Elsewhere:
        return None


class _Elsewhere(Exception):
    """What differs is not, or not only, in functions."""


@functools.cache
def _compiled(path):
    return compile(pathlib.Path(path).read_bytes(), path, "exec", dont_inherit=True)


def _pairs(before, after):
    if before == after:
        return
    inner = [[constant for constant in code.co_consts if inspect.iscode(constant)] for code in (before, after)]
    if before.co_flags & inspect.CO_OPTIMIZED:  # a function's, not a module's or a class's
        if before.co_freevars != after.co_freevars:
            raise _Elsewhere
        yield before, after
        if len(inner[0]) != len(inner[1]):
            return  # what is left of them comes into being with the new code
    elif _without_inner(before) != _without_inner(after):
        raise _Elsewhere
    for pair in zip(*inner, strict=True):
        yield from _pairs(*pair)


def _without_inner(code):
    return code.replace(co_consts=tuple(None if inspect.iscode(constant) else constant for constant in code.co_consts))


def functions_of(folder):
    """All functions that exist now and stand in the folder's files, by file."""
    found = {}  # by type(), since isinstance() asks the object, and a weak proxy may have lost what it stands for
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType and thing.__code__.co_filename.startswith(f"{folder}/"):
            found.setdefault(thing.__code__.co_filename, []).append(thing)
    return found


def exchange(pairs, functions):
    """Give the functions the code after; returns whether there was one for each outermost code before."""
    done = set()
    for function in functions:
        for number, (before, after) in enumerate(pairs):
            if function.__code__ == before:
                function.__code__ = after
                done.add(number)
                break
    return 0 in done
