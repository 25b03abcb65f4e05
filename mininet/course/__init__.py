"""What the notebooks of the course need beside the library: checks of exercises, and controls for figures.

``expect`` compares two results and says how they agree; ``check`` tells whether an exercise is solved; ``explore``
puts sliders under a figure.  The exercises' checks are in ``exercises``, a file for each notebook.
"""

from .checking import NotYet, check, expect, require
from .contents import CHAPTERS, Chapter
from .controls import explore

__all__ = ["CHAPTERS", "Chapter", "NotYet", "check", "expect", "explore", "require"]
