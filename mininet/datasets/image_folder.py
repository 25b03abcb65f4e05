"""Images in a folder per class, as ImageNet comes, decoded when they are needed."""

import os
import struct

import numpy as np

from ..checks import integer, path
from ..files import open_regular

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp")
_FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP")  # no others: Pillow runs Ghostscript for some


class ImageFolder:
    """Images of a tree ``folder/class/image.jpg``, decoded when indexed.

    An image's shorter side is resized (bilinearly, smoothed when it shrinks) to `shorter` pixels, then the
    `size` x `size` pixels in the middle are cut out.  Orientation tags are not looked at.

    Parameters
    ----------
    folder : path
        With one folder per class, in which files with `ENDINGS` (in small letters or capitals) are its images.  Other
        files, and names that begin with a dot, are left out.
    size : int
        Height and width of the images, at least 1.
    shorter : int, optional
        At least `size`, which it is if left out.  For ImageNet 256 goes with a size of 224.

    Attributes
    ----------
    labels : ndarray (n,), int64
        Places in `classes`.
    classes : list of str
        Names of the class folders, sorted.

    Raises
    ------
    OSError
        If there is no such folder, or it cannot be looked into.
    ValueError
        If there are no classes, or one has no images.
    """

    def __init__(self, folder, size, shorter=None):
        self.folder, self.size = path("folder", folder), integer("size", size, 1)
        self.shorter = self.size if shorter is None else integer("shorter", shorter)
        if self.shorter < self.size:
            raise ValueError(f"shorter must be at least the size {self.size}, got {shorter}")
        self.classes = sorted(_names(self.folder, os.DirEntry.is_dir))
        if not self.classes:
            raise ValueError(f"folder must have one folder per class, got {self.folder} without any")
        self._files, labels = [], []
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

    def __len__(self):
        """Number of images."""
        return len(self._files)

    def path(self, number):
        """The file of image `number`."""
        return self.folder / self.classes[self.labels[number]] / self._files[number]

    def __getitem__(self, index):
        """Decode images: of an integer array or a slice uint8 (n, size, size, 3), of one number (size, size, 3).

        Raises
        ------
        ValueError
            If a file is not a whole image, or has more pixels than Pillow's limit against decompression bombs; names
            the file.
        IndexError
            If there is no such image.
        """
        chosen = self._numbers[index]
        out = np.empty((*chosen.shape, self.size, self.size, 3), np.uint8)
        for place in np.ndindex(chosen.shape):
            out[place] = self._decode(self.path(chosen[place]))
        return out

    def _decode(self, path):
        from PIL import Image  # imported here for `import mininet` to be quick

        try:
            with open_regular(path) as file, Image.open(file, formats=_FORMATS) as image:
                # up to twice the limit Pillow only warns
                limit = Image.MAX_IMAGE_PIXELS
                if limit is not None and image.width * image.height > limit:
                    raise ValueError(f"{image.width}x{image.height} pixels, the limit is {limit}")
                if image.mode in ("I", "F") or image.mode.startswith("I;"):
                    raise ValueError(f"its pixels are of the kind {image.mode}, not of 8 bits")
                if image.mode == "P":
                    image = image.convert("RGBA")  # else Pillow warns of transparent palettes
                image = image.convert("RGB")
            # cut out and resized in one go: resizing all of a long and narrow image would take any amount of memory
            side = min(image.size) * self.size / self.shorter
            left, top = (image.width - side) / 2, (image.height - side) / 2
            box = (left, top, left + side, top + side)
            return np.asarray(image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box))
        # these are what Pillow raises for damaged files, SyntaxError included
        except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error,
                Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # fmt: skip
            raise ValueError(f"{path} cannot be read as an image: {error}") from error


def _names(folder, wanted):
    """Names in a folder for which `wanted` holds, but for hidden ones."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".") and wanted(entry)]
