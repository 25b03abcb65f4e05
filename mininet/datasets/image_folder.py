"""Images in one folder per class, as ImageNet comes, decoded when they are needed."""

import os
import pathlib
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.checks import integer, path
from ..base.files import open_regular
from ..base.types import IntegerArray, PathLike

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp")
_FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP")  # no others: Pillow runs Ghostscript for some


class ImageFolder:
    """Images of a tree ``folder/class/image.jpg``, decoded when indexed.

    An image's shorter side is resized to `shorter` pixels (bilinear, smoothed when it shrinks), then the `size` x
    `size` pixels in the middle are cut out.  Orientation tags are ignored.

    Parameters
    ----------
    folder : path
        It has one folder per class, with images whose names end in `ENDINGS`, in any case.  Other files, and names that
        begin with a dot, are left out.
    size : int
        Height and width of what is cut out, in pixels.
    shorter : int, optional
        At least `size`, its default.  For ImageNet, use 256 with a size of 224.

    Attributes
    ----------
    labels : ndarray (n,), int64
        Positions in `classes`.
    classes : list of str
        Names of the class folders, sorted.

    Raises
    ------
    OSError
        If there is no such folder, or it cannot be read.
    ValueError
        If there are no classes, or one has no images.

    Examples
    --------
    >>> os.makedirs("photos/cat")
    >>> Image.new("RGB", (40, 30)).save("photos/cat/1.png")
    >>> images = datasets.ImageFolder("photos", size=24)
    >>> images.classes, images.labels, images[:].shape
    (['cat'], array([0]), (1, 24, 24, 3))
    """

    def __init__(self, folder: PathLike, size: int, shorter: int | None = None) -> None:
        self.folder, self.size = path("folder", folder), integer("size", size, 1)
        self.shorter = self.size if shorter is None else integer("shorter", shorter)
        if self.shorter < self.size:
            raise ValueError(f"shorter must be at least the size {self.size}, got {shorter}")
        self.classes = sorted(_names(self.folder, os.DirEntry.is_dir))
        if not self.classes:
            raise ValueError(f"folder must have one folder per class, got {self.folder} without any")
        self._files: list[str] = []
        labels: list[int] = []
        for label, name in enumerate(self.classes):
            images = sorted(
                file for file in _names(self.folder / name, os.DirEntry.is_file) if file.lower().endswith(ENDINGS)
            )
            if not images:
                raise ValueError(
                    f"each class must have images, got none in {self.folder / name} (looked for {' '.join(ENDINGS)})"
                )
            self._files += images
            labels += [label] * len(images)
        self.labels = np.array(labels, np.int64)
        self._numbers = np.arange(len(self._files))

    def __len__(self) -> int:
        """Count the images."""
        return len(self._files)

    def path(self, number: int) -> pathlib.Path:
        """Get the file of an image.

        Parameters
        ----------
        number
            Its place in `labels`.
        """
        return self.folder.joinpath(self.classes[self.labels[number]], self._files[number])

    def __getitem__(self, index: "int | slice[Any, Any, Any] | IntegerArray | Sequence[int]") -> NDArray[np.uint8]:
        """Decode images: an array or a slice of numbers gives uint8 (n, size, size, 3), one number (size, size, 3).

        Raises
        ------
        ValueError
            If a file is not a whole image, or has more pixels than Pillow's limit against decompression bombs.
        IndexError
            If there is no such image.
        """
        chosen = self._numbers[index]
        out = np.empty((*chosen.shape, self.size, self.size, 3), np.uint8)
        for place in np.ndindex(chosen.shape):
            out[place] = self._decode(self.path(int(chosen[place])))
        return out

    def _decode(self, path: pathlib.Path) -> NDArray[np.uint8]:
        from PIL import Image  # imported here for `import mininet` to be quick

        try:
            with open_regular(path) as file, Image.open(file, formats=_FORMATS) as opened:
                limit = Image.MAX_IMAGE_PIXELS  # up to twice this limit Pillow only warns
                if limit is not None and opened.width * opened.height > limit:
                    raise ValueError(f"{opened.width}x{opened.height} pixels, the limit is {limit}")
                if opened.mode in ("I", "F") or opened.mode.startswith("I;"):
                    raise ValueError(f"its pixels are of the kind {opened.mode}, not of 8 bits")
                # Pillow warns about transparent palettes
                image = (opened.convert("RGBA") if opened.mode == "P" else opened).convert("RGB")
            # cut out and resized in one step: resizing all of a long, narrow image could take any amount of memory
            side = min(image.size) * self.size / self.shorter
            left, top = (image.width - side) / 2, (image.height - side) / 2
            box = (left, top, left + side, top + side)
            return np.asarray(image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box))
        # these are what Pillow raises for damaged files, SyntaxError included
        except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error,
                Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # fmt: skip
            raise ValueError(f"{path} cannot be read as an image: {error}") from error


def _names(folder: pathlib.Path, wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
    """List the names in a folder for which `wanted` holds, except hidden ones."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".") and wanted(entry)]
