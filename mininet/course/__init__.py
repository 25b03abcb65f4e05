"""What the notebooks of the course need beside the library.

``keep`` puts a piece of the reader's network into ``mine.py`` and ``take`` gets it back; ``progress`` shows how far it
has come.  ``expect`` compares two results and says how they agree; ``check`` tells whether an exercise is solved.
`diagrams` draws the course's diagrams, `canvas` shows figures that move.
"""

from .checking import NotYet, check, expect, require
from .contents import CHAPTERS, Chapter
from .mine import COUNT, PIECES, grade_chapters, keep, overview, progress, take

__all__ = [
    "CHAPTERS", "COUNT", "PIECES", "Chapter", "NotYet", "check", "expect", "grade_chapters", "keep",
    "overview", "progress", "require", "take",
]  # fmt: skip
