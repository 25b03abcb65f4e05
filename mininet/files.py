"""Files that are either whole or not there, and reading those of others with care."""

import contextlib
import errno
import json
import os
import pathlib
import stat
import tempfile


@contextlib.contextmanager
def written_atomically(path):
    """Give a temporary path beside `path`, and rename it to `path` when the block has ended well.

    An error or Ctrl-C inside the block removes the temporary file and leaves what stood at `path` untouched.  The
    temporary name keeps the ending, which tells matplotlib and NumPy the format.

    Raises
    ------
    OSError
        If the file cannot be written, as on a full disk; it names `path`.
    """
    path = pathlib.Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        with naming(path):
            yield pathlib.Path(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path):
    """Errors of the disk, which by themselves do not say of which file they speak, speak of `path` inside the block."""
    try:
        yield
    except OSError as error:
        if error.errno in _OF_THE_DISK and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def open_regular(path):
    """Open a file to read its bytes; pipes and devices, for whose end a reader may wait forever, are refused.

    Raises
    ------
    ValueError
        If it is a pipe, a device or a socket.
    OSError
        If it cannot be opened.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # of a folder open says what it is
        raise ValueError(f"{path} is not a regular file")
    return open(path, "rb")


def read_json(path):
    """What a JSON file says.

    Raises
    ------
    ValueError
        If it is not JSON, or too deeply nested.
    OSError
        If it cannot be read.
    """
    with open_regular(path) as file:
        try:
            return json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not JSON: {error}") from None


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
