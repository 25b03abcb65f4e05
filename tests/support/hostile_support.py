"""Damaged and hostile files, made from whole ones, and what every reader must do with them."""

import contextlib
import os
import pathlib
import pickle
import signal

import examples
import numpy as np

try:
    import resource
except ImportError:  # Windows
    resource = None

LEAST = 1000
"""How many files each reader must face."""

NUMBERS = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
TEXTS = (
    b"-1", b"0", b"1.5", b"1e999", b"NaN", b"99999999999999999999", b"9223372036854775807", b"4294967296", b"null",
    b'"text"', b"[]", b"[[[[", b"{}", b"True", b"\xff\xfe", b"\0", b"\xc3\xa9", b"9" * 5000,
)  # fmt: skip


class Harmful:
    """What runs when it is unpickled: it makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return pathlib.Path.touch, (self.marker,)


def mutants(whole, seed, count=LEAST):
    """(what was done, bytes) of `count` different damaged copies of `whole`, always the same ones.

    Half of the places are near the beginning or the end, where files say what is in them.
    """
    random, seen = np.random.default_rng(seed), {whole}
    for what, content in _cut(whole):
        if content not in seen and len(seen) <= count // 4:
            seen.add(content)
            yield what, content
    while len(seen) <= count:
        kind = _KINDS[random.integers(len(_KINDS))]
        place = int(random.integers(len(whole)))
        if random.random() < 0.5:
            place = (place % 256) * (1 if random.random() < 0.5 else -1) % len(whole)
        content = kind(whole, place, random)
        if content not in seen:
            seen.add(content)
            yield f"{kind.__name__.strip('_')} at {place} of {len(whole)} (mutant {len(seen) - 1})", content


def _cut(whole):
    ends = [*range(20), *np.linspace(20, len(whole) - 20, 160, dtype=int), *range(len(whole) - 20, len(whole))]
    for end in ends:
        if end >= 0:
            yield f"cut after {end} of {len(whole)}", whole[:end]


def _bit_flipped(whole, place, random):
    return whole[:place] + bytes([whole[place] ^ (1 << int(random.integers(8)))]) + whole[place + 1 :]


def _several_bits_flipped(whole, place, random):
    content = bytearray(whole)
    for other in [place, *random.integers(len(whole), size=int(random.integers(1, 20)))]:
        content[other] ^= 1 << int(random.integers(8))
    return bytes(content)


def _overwritten(whole, place, random):
    size = int(random.integers(1, 64))
    with_what = (bytes(size), b"\xff" * size, random.bytes(size))[random.integers(3)]
    return (whole[:place] + with_what)[: len(whole)] + whole[place + size :]


def _piece_missing(whole, place, random):
    return whole[:place] + whole[place + int(random.integers(1, 64)) :]


def _piece_twice(whole, place, random):
    return whole[: place + int(random.integers(1, 64))] + whole[place:]


def _piece_inserted(whole, place, random):
    return whole[:place] + random.bytes(int(random.integers(1, 64))) + whole[place:]


def _number_changed(whole, place, random):
    number, size = NUMBERS[random.integers(len(NUMBERS))], int(random.choice([1, 2, 4, 8]))
    order = "little" if random.random() < 0.7 else "big"
    return whole[:place] + (number % 256**size).to_bytes(size, order) + whole[place + size :]


def _text_changed(whole, place, random):
    """A number in digits, the next one from `place` on, becomes something else."""
    first = next((i for i in range(place, len(whole)) if whole[i : i + 1].isdigit()), place)
    last = next((i for i in range(first, len(whole)) if not whole[i : i + 1].isdigit()), len(whole))
    return whole[:first] + TEXTS[random.integers(len(TEXTS))] + whole[last:]


def _more_at_the_end(whole, place, random):
    return whole + whole[place : place + int(random.integers(1, 600))]


_KINDS = (
    _bit_flipped, _bit_flipped, _several_bits_flipped, _overwritten, _piece_missing, _piece_twice, _piece_inserted,
    _number_changed, _number_changed, _text_changed, _more_at_the_end,
)  # fmt: skip


def disguised(marker):
    """(what it is, bytes) of files of quite another kind."""
    yield "empty", b""
    yield "text", b"no such file\n" * 10
    yield "a pickle", pickle.dumps({"weight": Harmful(marker)})
    yield "an old pickle", pickle.dumps(Harmful(marker), protocol=0)
    yield "code", f"import pathlib; pathlib.Path({str(marker)!r}).touch()".encode()
    yield "nested JSON", b"[" * 100_000
    yield "nested JSON with names", b'{"a":' * 100_000
    yield "zeros", bytes(1000)
    yield "ones", b"\xff" * 1000
    yield "random", np.random.default_rng(0).bytes(5000)


def face(path, cases, read, right, kinds=(ValueError, OSError), least=LEAST, memory=2**29):
    """Write each case to `path` and `read` it; returns how many were read, of how many.

    Each must be refused, with a message that has the file's name, or be `right(result, content)`; in little memory and
    time, and without a trace in the folder.
    """
    tried = read_well = 0
    wrong = []
    for what, content in cases:
        path.unlink(missing_ok=True)  # some file systems wait for the disk when a file is overwritten
        path.write_bytes(content)
        tried += 1
        before = listing(path.parent)
        try:
            with limits(memory=memory):
                result = read()
        except Hang:
            wrong.append(f"{what}: takes too long")
        except Exception as error:
            # UnicodeDecodeError, for one, is a ValueError that says nothing of the file
            if not isinstance(error, kinds) or not (type(error) is ValueError or isinstance(error, OSError)):
                wrong.append(f"{what}: {type(error).__name__}: {error}")
            elif path.name not in str(error):
                wrong.append(f"{what}: does not name the file: {error}")
        else:
            read_well += 1
            if not right(result, content):
                wrong.append(f"{what}: read, but wrongly")
        if listing(path.parent) != before:
            wrong.append(f"{what}: the folder has changed")
    examples.count(tried)
    assert not wrong, f"{len(wrong)} of {tried}, such as\n" + "\n".join(wrong[:20])
    assert tried >= least
    return read_well, tried


def listing(folder):
    """All that is in a folder, with sizes, times and kinds."""
    found = {}
    for here, folders, files in os.walk(folder):
        for name in folders + files:
            about = os.lstat(os.path.join(here, name))
            found[os.path.join(here, name)] = about.st_size, about.st_mtime_ns, about.st_mode
    return found


class Hang(BaseException):
    """Reading a small file took longer than any of them needs."""


@contextlib.contextmanager
def limits(seconds=20, memory=2**29):
    """Inside the block only so much time and memory more can be taken (where the system can see to that)."""
    if resource is None or not os.path.exists("/proc/self/statm"):
        yield
        return
    taken = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    resource.setrlimit(resource.RLIMIT_AS, (taken + memory, before[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGALRM, handler)


def _hang(*_):
    raise Hang


def same(ours, theirs):
    """Whether mappings of names to arrays are equal, kinds and NaN included."""
    return ours.keys() == theirs.keys() and all(
        (ours[name].dtype, ours[name].shape, ours[name].tobytes())
        == (theirs[name].dtype, theirs[name].shape, theirs[name].tobytes())
        for name in ours
    )
