"""Files that are either whole or not there, and reading those of others with care."""

import contextlib
import os
import pathlib
import tempfile
import zipfile

import numpy as np


@contextlib.contextmanager
def written_atomically(path):
    """Give a temporary path beside `path`, and rename it to `path` when the block has ended well.

    An error or Ctrl-C inside the block removes the temporary file and leaves what stood at `path` untouched.  The
    temporary name keeps the ending, which tells matplotlib and NumPy the format.
    """
    path = pathlib.Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        yield pathlib.Path(temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


def read_npz(path):
    """All arrays of an ``.npz`` file by name; nothing in it is unpickled.

    Raises
    ------
    ValueError
        If it is damaged, or not such a file, or holds Python objects.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        EOFError,
        NotImplementedError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(f"{path} is not a whole .npz file of plain arrays: {error}") from None


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
