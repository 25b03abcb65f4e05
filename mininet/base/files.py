"""Files that are whole or not there at all, and careful reading of files from others."""

import contextlib
import errno
import json
import os
import pathlib
import stat
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from .checks import path as path_of
from .types import PathLike


@contextlib.contextmanager
def written_atomically(path: PathLike) -> Iterator[pathlib.Path]:
    """Give a temporary path beside `path`, and rename it to `path` once the block has succeeded.

    An error or Ctrl-C inside the block removes the temporary file and leaves `path` as it was.  An OSError, as on a
    full disk, names `path`.  The temporary name keeps the ending, which tells matplotlib and NumPy the format.
    """
    path = path_of("path", path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        with naming(path):
            yield pathlib.Path(temporary)
            with open(temporary, "r+b") as file:  # Windows syncs only what can be written to
                os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path: PathLike) -> Iterator[None]:
    """Let errors of the disk inside the block name `path`; by themselves they name no file."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO} and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def open_regular(path: PathLike) -> BinaryIO:
    """Open a file to read its bytes; ValueError refuses pipes and devices, for whose end a reader may wait forever."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # for a folder, open says what it is
        raise ValueError(f"{path} is not a regular file")
    return open(path, "rb")


def read_json(path: PathLike) -> Any:
    """Read a JSON file; raises ValueError if it is not JSON or too deeply nested, and OSError if it cannot be read."""
    with open_regular(path) as file:
        try:
            return json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not JSON: {error}") from None
