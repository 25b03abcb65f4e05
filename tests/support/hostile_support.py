"""Damaged and hostile files, made from whole ones, and what every reader must do with them."""

import contextlib
import io
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

NUMBERS = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
TEXTS = (b"-1", b"0", b"1.5", b"1e999", b"NaN", b"4294967296", b"null", b'"text"', b"[]", b"[[[[", b"True", b"\xff\xfe",
         b"\0", b"9" * 5000)  # fmt: skip


class Harmful:
    """Unpickling it makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return pathlib.Path.touch, (self.marker,)


def mutants(whole, seed, count=200):
    """(what was done, bytes) of `count` different damaged copies of `whole`, always the same ones.

    A quarter is cut off.  Half of the other places are near the beginning or the end, where files describe themselves.
    """
    random, seen = np.random.default_rng(seed), {whole}
    for end in np.unique(np.linspace(0, len(whole) - 1, count // 4, dtype=int)):
        seen.add(whole[:end])
        yield f"cut after {end} of {len(whole)}", whole[:end]
    while len(seen) <= count:
        place = int(random.integers(len(whole)))
        if random.random() < 0.5:
            place = (place % 256) * (1 if random.random() < 0.5 else -1) % len(whole)
        kind = random.integers(7)
        if kind < 2:
            last, new = place + 1, bytes([whole[place] ^ (1 << int(random.integers(8)))])
        elif kind == 2:
            last, new = place + int(random.integers(1, 64)), b""
        elif kind == 3:
            new = random.bytes(min(int(random.integers(1, 64)), len(whole) - place))
            last = place + len(new)
        elif kind < 6:
            size, order = int(random.choice([1, 2, 4, 8])), "little" if random.random() < 0.7 else "big"
            last, new = place + size, (NUMBERS[random.integers(len(NUMBERS))] % 256**size).to_bytes(size, order)
        else:  # the next number that is written in digits
            place = next((i for i in range(place, len(whole)) if whole[i : i + 1].isdigit()), place)
            last = next((i for i in range(place, len(whole)) if not whole[i : i + 1].isdigit()), len(whole))
            new = TEXTS[random.integers(len(TEXTS))]
        content = whole[:place] + new + whole[last:]
        if content not in seen:
            seen.add(content)
            yield f"{whole[place:last]!r} at {place} became {new[:20]!r}", content


def disguised(marker):
    """(what it is, bytes) of files of quite another kind."""
    yield "empty", b""
    yield "a pickle", pickle.dumps({"weight": Harmful(marker)})
    yield "code", f"import pathlib; pathlib.Path({str(marker)!r}).touch()".encode()
    yield "nested JSON", b'{"a":' * 100_000
    yield "ones", b"\xff" * 1000


def face(path, cases, read, right=lambda result, content: False, memory=2**29):
    """Write each case to `path` and `read` it; returns how many were read, of how many.

    Each must be refused, with a message that names the file, or be `right(result, content)`; in little memory and time,
    and without a trace in the folder.
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
            if type(error) is not ValueError or path.name not in str(error):  # a UnicodeDecodeError is a ValueError
                wrong.append(f"{what}: {type(error).__name__}: {error}")
        else:
            read_well += 1
            if not right(result, content):
                wrong.append(f"{what}: read, but wrongly")
        if listing(path.parent) != before:
            wrong.append(f"{what}: the folder has changed")
    examples.count(tried)
    assert not wrong, f"{len(wrong)} of {tried}, such as\n" + "\n".join(wrong[:20])
    return read_well, tried


def unchanged_if_refused(read, state):
    """`read`, after which `state()` must be as before if it raised an error."""

    def checked():
        before = state()
        try:
            return read()
        except Exception:
            if not same(state(), before):
                raise AssertionError("refused, but something has changed") from None
            raise

    return checked


def listing(folder):
    """All that is in a folder, with sizes, times and kinds."""
    paths = [os.path.join(here, name) for here, folders, files in os.walk(folder) for name in folders + files]
    return {path: (about.st_size, about.st_mtime_ns, about.st_mode) for path in paths for about in [os.lstat(path)]}


def npz(save=np.savez, **arrays):
    """The bytes of an .npz file."""
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


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
    facts = [{name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()} for arrays in (ours, theirs)]
    return facts[0] == facts[1]
