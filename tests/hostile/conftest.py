"""Places at which there is no file to read."""

import errno
import os
import socket
import stat

import pytest


@pytest.fixture(params=["folder", "missing", "unreadable", "loop", "dangling", "pipe", "device", "socket"])
def no_file(request, tmp_path, monkeypatch):
    """A path at which something else is than a file that can be read."""
    path = tmp_path / "place.npz"
    if request.param == "folder":
        path.mkdir()
    elif request.param == "unreadable":
        path.write_bytes(b"x")
        path.chmod(0)
        if os.access(path, os.R_OK):  # this user may read everything
            monkeypatch.setattr("builtins.open", _open)
    elif request.param == "loop":
        path.symlink_to(path)
    elif request.param == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    elif request.param == "socket":
        monkeypatch.chdir(tmp_path)  # names of sockets must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("place.npz")
    return path


def _open(file, *arguments, real=open, **keywords):
    if isinstance(file, os.PathLike) and os.path.isfile(file) and not stat.S_IMODE(os.stat(file).st_mode):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
    return real(file, *arguments, **keywords)
