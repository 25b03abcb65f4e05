"""Getting files from the network, and unpacking archives: whole and right, or not at all."""

import contextlib
import gzip
import hashlib
import http.client
import itertools
import os
import pathlib
import shutil
import ssl
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

from tqdm import tqdm

from ..files import naming, open_regular

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

ATTEMPTS, WAIT, TIMEOUT = 4, 1.0, 30.0  # seconds; the wait doubles from attempt to attempt
MAX_UNPACKED, MAX_MEMBERS = 2**30, 1000
MAX_HEADER, MAX_PADDING, MAX_NAME = 2**12, 2**20, 200  # bytes before a member, after the last, of a name
_BLOCK = 2**18


class _BrokenOff(Exception):
    """The connection failed in a way in which it may be better next time."""


def install(url, sha256, folder, name, progress=True):
    """Download a .tar.gz and unpack its folder `name` to ``folder/name``, unless that is there.

    If several processes do this at once, one does the work and the others wait for it (where files can be locked, so
    not on Windows).  If the archive lies in `folder` already, it is not downloaded.

    Returns
    -------
    pathlib.Path
        ``folder/name``
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / pathlib.PurePosixPath(urllib.parse.urlsplit(url).path).name
    with _alone(folder / f".{name}.lock"):
        if _is_filled(folder / name):
            return folder / name
        if fcntl:  # then nobody else is at work, and these are of processes that were killed
            for left in folder.glob(f".{name}-unpacking-*"):
                shutil.rmtree(left, ignore_errors=True)
        given = archive.exists()
        download(url, archive, sha256, progress)
        extract(archive, folder, name)
        if not given:
            archive.unlink()
    return folder / name


def download(url, path, sha256, progress=True):
    """Download a file.

    It is written to `path` with ".part" at the end, and renamed when it is whole and its hash is right.  A download
    that was broken off goes on where it ended, if the server can do that; when the connection breaks, a few more
    attempts are made.  A file that is at `path` already is kept if its hash is right, and replaced if not.  Two
    processes must not download to the same `path` at once; `install` sees to that.

    Parameters
    ----------
    url : str
        Of http or https.
    path : path
    sha256 : str
        The hash that the file must have, in hexadecimal.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        If the hash is wrong: then nothing is kept.  Or if `url` is of another kind.
    ConnectionError
        If all attempts failed; what has come so far is kept for the next call.
    OSError
        If the server refuses, or the file cannot be written: on a full disk what has come is kept as well.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"url must begin with http:// or https://, got {url!r}")
    path, sha256 = pathlib.Path(path), sha256.lower()
    part = path.with_name(path.name + ".part")
    if path.exists() and _hash_of(path).hexdigest() == sha256:
        return
    try:
        with naming(part):
            actual = _fetch_patiently(url, part, sha256, progress)
    except BaseException:
        if part.exists() and part.stat().st_size == 0:  # nothing to go on from
            part.unlink()
        raise
    if actual != sha256:
        part.unlink()
        raise ValueError(f"{url} must have the SHA-256 {sha256}, got {actual}; nothing of it was kept")
    os.replace(part, path)


def _fetch_patiently(url, part, sha256, progress):
    """As many attempts as it takes, up to `ATTEMPTS`."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(WAIT * 2 ** (attempt - 1))
        try:
            return _fetch(url, part, sha256, progress)
        except _BrokenOff as error:
            failure = error
    size = part.stat().st_size if part.exists() else 0
    raise ConnectionError(
        f"{url} could not be downloaded in {ATTEMPTS} attempts: {failure}; {size} bytes are kept in {part}, "
        "and the next call goes on from there"
    ) from failure


def _fetch(url, part, sha256, progress):
    """One attempt: make `part` whole, and return its SHA-256."""
    with open(part, "ab") as file:
        digest = _hash_of(part)
        if digest.hexdigest() == sha256:  # all there, only the renaming was missing
            return sha256
        start = file.tell()
        with _response(url, start) as response:
            if response is None or not _continues(response, start):
                # the server has no such range, or sends everything again
                start, digest = 0, hashlib.sha256()
                file.truncate(0)
            if response is None:
                raise _BrokenOff(f"the server has no bytes after those in {part}")
            length = response.headers.get("Content-Length")
            end = start + int(length) if length and length.isdecimal() else None
            with tqdm(total=end, initial=start, unit="B", unit_scale=True, disable=not progress,
                      desc=part.stem) as bar:  # fmt: skip
                done = start
                while block := _read(response, _BLOCK if end is None else min(_BLOCK, end - done)):
                    file.write(block)
                    digest.update(block)
                    bar.update(len(block))
                    done += len(block)
        if end is not None and done < end:  # http.client says nothing about this
            raise _BrokenOff(f"the connection ended after {done} of {end} bytes")
        file.flush()
        os.fsync(file.fileno())
        return digest.hexdigest()


@contextlib.contextmanager
def _response(url, start):
    """Ask for a file from byte `start` on; None if the server has nothing there."""
    request = urllib.request.Request(url, headers={"User-Agent": "mininet", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    with contextlib.ExitStack() as stack:
        try:
            response = stack.enter_context(_opener().open(request, timeout=TIMEOUT))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and start:
                response = None
            elif error.code in (408, 429) or error.code >= 500:
                raise _BrokenOff(f"HTTP {error.code} {error.reason}") from error
            else:
                raise OSError(f"{url} cannot be downloaded: HTTP {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, (ssl.SSLCertVerificationError, str)):  # str: no such kind of URL
                raise OSError(f"{url} cannot be downloaded: {error.reason}") from error
            raise _BrokenOff(str(error.reason)) from error
        except (ConnectionError, TimeoutError, http.client.HTTPException, ssl.SSLError) as error:
            raise _BrokenOff(_words(error)) from error
        yield response


def _read(response, size):
    """At most `size` bytes, as many as have come, so that little is lost when the connection breaks."""
    try:
        # never more than is due: some versions of Python 3.11 do not count, and wait for the server to hang up
        return response.read1(size) if size else b""
    except (ConnectionError, TimeoutError, http.client.HTTPException, ssl.SSLError) as error:
        raise _BrokenOff(_words(error)) from error


def _words(error):
    return str(error) or type(error).__name__


def _continues(response, start):
    """Whether a response goes on at byte `start`, rather than being the whole file."""
    if not start:
        return True
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _opener():
    """What opens URLs: http and https only, also after redirections."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.UnknownHandler, urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler, urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener


def _hash_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256")


def extract(archive, folder, name):
    """Unpack the folder `name` of a .tar.gz to ``folder/name``, which is there as a whole afterwards or not at all.

    It is unpacked to a temporary folder beside and then renamed.  If ``folder/name`` is there already, and not empty,
    it stays as it is: somebody else was quicker.  What the archive has beside `name` is left out.  The check sum of
    gzip tells that the archive is whole; whether it is the right one is to be known before, by its hash.

    Parameters
    ----------
    archive : path
    folder : path
        Must exist.
    name : str
        A plain name.

    Raises
    ------
    ValueError
        If the archive is damaged, has no folder `name`, or has something else than plain files and folders in their
        place: links, devices, absolute paths, "..", the same file twice; or more than `MAX_MEMBERS` of them,
        `MAX_UNPACKED` bytes, or `MAX_HEADER` bytes before one of them.
    OSError
        If the archive cannot be opened, or a file not be written.
    """
    archive, folder = pathlib.Path(archive), pathlib.Path(folder)
    if name in ("", ".", "..") or pathlib.PurePosixPath(name).name != name:
        raise ValueError(f"name must be the plain name of a folder, got {name!r}")
    target = folder / name
    if _is_filled(target):
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-unpacking-") as temporary:
        temporary = pathlib.Path(temporary).resolve()
        with open_regular(archive) as file, _Rationed(fileobj=file) as unzipped:
            try:
                _unpack(unzipped, temporary)
            # what gzip and tarfile raise for damaged files
            except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, LookupError, OverflowError,
                    RecursionError) as error:  # fmt: skip
                raise ValueError(f"{archive} cannot be unpacked: {error}") from error
        if not (temporary / name).is_dir():
            raise ValueError(f"{archive} must have a folder {name}")
        try:
            os.rename(temporary / name, target)
        except OSError:
            if not _is_filled(target):
                raise


class _Rationed(gzip.GzipFile):
    """Gives no more bytes than `left`: tarfile reads what precedes a member as a whole, however long it says it is."""

    left = MAX_HEADER
    last = b""

    def read(self, size=-1):
        if not 0 <= size <= self.left:
            raise ValueError(f"{size} bytes should follow, at most {self.left} can")
        self.left -= size
        self.last = super().read(size)
        return self.last


def _unpack(file, folder):
    """Write the files and folders of an archive below `folder`, or raise."""
    with tarfile.open(fileobj=file, mode="r:") as tar:
        size = 0
        for number in itertools.count(1):
            file.left = MAX_HEADER
            member = tar.next()
            if member is None:
                break
            place = _place(member, folder)
            size += member.size
            if number > MAX_MEMBERS or size > MAX_UNPACKED:
                raise ValueError(
                    f"it must have at most {MAX_MEMBERS} members and {MAX_UNPACKED} bytes unpacked, it has more"
                )
            file.left = member.size
            try:
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                with naming(place), tar.extractfile(member) as source, open(place, "xb") as target:
                    shutil.copyfileobj(source, target, _BLOCK)
                    target.flush()
                    os.fsync(target.fileno())
            except (FileExistsError, NotADirectoryError):
                raise ValueError(f"it has {member.name!r} twice, or below a file") from None
        # for tarfile any nonsense after the first member is an end
        if file.last != bytes(tarfile.BLOCKSIZE):
            raise ValueError("it does not end as archives do")
    file.left = MAX_PADDING
    while rest := file.read(_BLOCK):  # at the end gzip compares the check sum
        if rest.strip(b"\0"):
            raise ValueError("something comes after its end")


def _place(member, folder):
    """Where a member of an archive is to be written."""
    name, path = member.name, pathlib.PurePosixPath(member.name)
    if not (member.isdir() or member.isreg()) or member.issparse() or member.size < 0:
        raise ValueError(f"it has {name!r}, which is neither a plain file nor a folder")
    # backslashes and colons are paths on Windows
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise ValueError(f"it has {name!r}, which leads out of the folder")
    if "\0" in name or len(os.fsencode(name)) > MAX_NAME:
        raise ValueError(f"it has the name {name!r}, which no file can have")
    place = (folder / path).resolve()
    if not place.is_relative_to(folder):
        raise ValueError(f"it has {name!r}, which leads out of the folder")
    return place


def _is_filled(folder):
    return folder.is_dir() and any(folder.iterdir())


@contextlib.contextmanager
def _alone(path):
    """Hold the lock file `path`, which other processes wait for; the lock is gone if this process dies."""
    if fcntl is None:
        yield
        return
    handle = _locked(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _locked(path):
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # while we waited, the holder may have removed the file; then it is no longer what others lock
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
