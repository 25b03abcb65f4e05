"""Getting a data set from the network: whole and right, or not at all."""

import pathlib
import tarfile
import tempfile

from ..base.files import naming
from ..base.types import PathLike

RETRIES, TIMEOUT = 3, 30.0  # seconds
_LEFT = ".unpacking-"


def install(url: str, sha256: str, folder: PathLike, name: str, progress: bool = True) -> pathlib.Path:
    """Download a .tar.gz and unpack its folder `name` to ``folder/name``, unless that is there; returns that path.

    An archive with the right hash that lies in `folder` already is used instead of downloading it.  Files are written
    under temporary names and renamed, so nothing half-written is ever taken for whole.  A download that breaks off
    starts again.

    url : of http or https
    sha256 : the hash that the archive must have, in hexadecimal
    progress : whether to show a progress bar

    Raises
    ------
    ImportError
        Without the package pooch, which the extra ``data`` brings.
    ValueError
        If the hash is wrong, or the archive has no such folder; nothing is kept then.
    OSError
        If the server cannot be reached or refuses, or a file cannot be written.
    """
    folder = pathlib.Path(folder)
    target = folder / name
    if _is_filled(target):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / url.rpartition("/")[2]
    was_given = archive.exists()
    try:
        with naming(archive):
            _fetch(url, sha256, archive, progress)
        _unpack(archive, name, target)
    except FileNotFoundError:  # another process may have been quicker, and have removed the archive
        if not _is_filled(target):
            raise
    if not was_given:
        archive.unlink(missing_ok=True)
    return target


def _fetch(url: str, sha256: str, archive: pathlib.Path, progress: bool) -> None:
    try:
        import pooch
    except ImportError as error:
        raise ImportError("downloading needs the package pooch: pip install pooch") from error
    name = archive.name
    files = pooch.create(
        archive.parent, "", registry={name: f"sha256:{sha256}"}, urls={name: url}, retry_if_failed=RETRIES
    )
    files.fetch(name, downloader=pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT))


def _unpack(archive: pathlib.Path, name: str, target: pathlib.Path) -> None:
    """Move the archive's folder `name` to `target`."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_LEFT) as temporary:
        try:
            with naming(target), tarfile.open(archive) as tar:
                tar.extractall(temporary, filter="data")
        except tarfile.TarError as error:
            raise ValueError(f"{archive} cannot be unpacked: {error}") from error
        unpacked = pathlib.Path(temporary, name)
        if not unpacked.is_dir():
            raise ValueError(f"{archive} must have a folder {name}")
        _move(unpacked, target)


def _move(unpacked: pathlib.Path, target: pathlib.Path) -> None:
    """Rename, unless another process was quicker; an empty folder in the way is removed, as Windows asks for."""
    if target.is_dir() and not _is_filled(target):
        target.rmdir()
    try:
        unpacked.rename(target)
    except OSError:
        if not _is_filled(target):
            raise


def _is_filled(folder: pathlib.Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
