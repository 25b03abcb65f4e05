"""Promise: a download that is broken off, even by a kill, goes on where it stopped, and only the right file is kept.

Until it is whole and its SHA-256 is right the file is called `.part`, and what stood in its place stays.  (The ways in
which a server can break off, lie about the length, have no ranges or send other bytes are tried in
`tests/datasets/test_download.py`.)
"""

import hashlib
import time

import pytest
from support import normal
from trust_support import HANG, files_below, started_script

from mininet.datasets.download import download

DATA = normal(2**17).tobytes()
HASH = hashlib.sha256(DATA).hexdigest()
SCRIPT = "import sys; from mininet.datasets.download import download; download(*sys.argv[1:], progress=False)"


@pytest.mark.parametrize("came", [2**18, 2**19 + 12345])
def test_killed_in_the_middle(tmp_path, server, came):
    server.files["/data.bin"], server.keeps_open, server.faults = DATA, True, [came]  # then it says nothing more
    path, part = tmp_path / "data.bin", tmp_path / "data.bin.part"
    path.write_bytes(b"old")
    with started_script("-c", SCRIPT, server.url("/data.bin"), path, HASH, no_proxy="*") as process:
        end = time.monotonic() + HANG
        while not (part.exists() and part.stat().st_size >= 2**18):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end, "the download hangs"
            time.sleep(0.01)
    assert process.returncode < 0
    kept = part.stat().st_size
    assert 2**18 <= kept <= came
    assert path.read_bytes() == b"old"
    server.keeps_open = False
    download(server.url("/data.bin"), path, HASH, progress=False)
    assert server.requests == [None, f"bytes={kept}-"]
    assert path.read_bytes() == DATA
    assert files_below(tmp_path) == ["data.bin"]


def test_killed_and_then_another_file_is_there(tmp_path, server):
    """The half that came belongs to a file that the server does not have any more: nothing of it is kept."""
    (tmp_path / "data.bin.part").write_bytes(DATA[:1000][::-1])
    server.files["/data.bin"] = DATA
    with pytest.raises(ValueError, match="SHA-256"):
        download(server.url("/data.bin"), tmp_path / "data.bin", HASH, progress=False)
    assert files_below(tmp_path) == []
    download(server.url("/data.bin"), tmp_path / "data.bin", HASH, progress=False)
    assert (tmp_path / "data.bin").read_bytes() == DATA
