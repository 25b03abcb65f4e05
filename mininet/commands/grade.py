"""``mininet grade``: the promises of anybody's momentum block."""

import argparse

from .. import course, grader
from . import arguments as parse
from .arguments import Refused


def add_options(command):
    """Add the options of `run`."""
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("path", nargs="?", type=parse.path, help="the file")
    what.add_argument("--template", type=parse.path, metavar="FILE", help="write a file to begin with")
    chapter = f"grade what the course has built up to this chapter: {', '.join(course.PIECES)}"
    command.add_argument("--chapter", type=_chapter, help=chapter)
    when = "grade exact arithmetic also where nothing of it is written yet"
    command.add_argument("--exact", action="store_true", help=when)


def _chapter(text):
    if text.zfill(2) not in course.PIECES:
        raise argparse.ArgumentTypeError(f"chapter {text} has no promises; {', '.join(course.PIECES)} have")
    return text.zfill(2)


def run(arguments):
    """Try whether a Python file with forward, invert and backward of a momentum block keeps what it promises:
    the right result, inversion, gradients, memory.  Of a promise that is broken it shows the smallest example
    and the likely cause.  The exit status is 0 if all are kept, 1 if not, 2 if there is nothing to grade.
    """
    for name in ("chapter", "exact"):
        if getattr(arguments, name) and (arguments.template or (name == "exact" and arguments.chapter)):
            raise Refused(f"--{name} does not go with --{'template' if arguments.template else 'chapter'}")
    if arguments.template:
        try:
            grader.write_template(arguments.template)
        except OSError as error:
            raise Refused(f"cannot write {arguments.template}: {error.strerror}") from None
        print(f"saved {arguments.template}: fill it in, then run mininet grade {arguments.template}")
        return 0
    try:
        if arguments.chapter:
            return 0 if course.grade_chapters(arguments.path, arguments.chapter).all_kept else 1
        report = grader.grade(arguments.path, exact=arguments.exact or None)
        if course.mine.is_begun(arguments.path):
            tried = f"these {len(report.outcomes)} promises are the momentum block's"
            print(f"{tried}; --chapter 07 tries all {course.COUNT} of the course")
        return 0 if report.all_kept else 1
    except grader.CannotLoad as error:
        raise Refused(error) from None
