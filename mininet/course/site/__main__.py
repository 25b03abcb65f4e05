"""``python -m mininet.course.site --output FOLDER``: write the course as a static site."""

import argparse
import pathlib
import time

import mininet


def main(arguments=None):
    """Build the site; mistakes end in a message, not in a traceback."""
    parser = argparse.ArgumentParser(prog="python -m mininet.course.site", description="Write the course as a site.")
    parser.add_argument(
        "--output", type=pathlib.Path, default="site", help="the folder to write, a new one or an old site"
    )
    arguments = parser.parse_args(arguments)
    try:
        from .build import SiteError, build
    except ImportError as error:
        raise SystemExit(
            f"mininet: {error}; the site needs the development dependencies: pip install -e .[dev]"
        ) from None
    start = time.perf_counter()
    try:
        pages = build(pathlib.Path(mininet.__file__).parents[1], arguments.output)
    except (SiteError, OSError) as error:
        raise SystemExit(f"mininet: {error}") from None
    print(f"{pages} pages in {time.perf_counter() - start:.0f} s: open {arguments.output / 'index.html'}")


if __name__ == "__main__":
    main()
