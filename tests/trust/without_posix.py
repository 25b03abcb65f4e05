"""Training, saving and the command line where what POSIX alone has is missing: ``python without_posix.py FOLDER``."""

import errno
import fcntl
import os
import pathlib
import signal
import sys

import matplotlib.pyplot  # noqa: F401 - like the next ones, it may take what it likes
import numba  # noqa: F401
import numpy as np
import PIL.Image  # noqa: F401
import tqdm  # noqa: F401

access, fsync = fcntl.fcntl, os.fsync


def fsync_as_on_windows(number):
    if access(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")
    fsync(number)


os.fsync = fsync_as_on_windows
for name in ("fork", "getuid", "mkfifo", "register_at_fork", "sched_getaffinity"):
    delattr(os, name)
for name in ("SIGALRM", "SIGKILL", "SIGPIPE", "alarm", "setitimer"):
    delattr(signal, name)
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None  # importing it is an ImportError

from mininet import models, nn, optim  # noqa: E402
from mininet.__main__ import main  # noqa: E402
from mininet.datasets import Batches  # noqa: E402
from mininet.training import Training  # noqa: E402

folder = pathlib.Path(sys.argv[1])
net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
batches = Batches(np.ones((8, 2, 2), np.float32), np.zeros(8, int), batch_size=4, prefetch=1)
sgd = optim.SGD(net.parameters(), lr=0.1)
Training(net, sgd, None, batches, batches, 1, folder, checkpoint_seconds=0, progress=False).run()
for ending in ("npz", "safetensors"):
    models.save_pytorch_state_dict(net, folder / f"weights.{ending}")
    models.load_pytorch_state_dict(net, folder / f"weights.{ending}")
sys.exit(main(["info"]) or main(["grade", "--template", str(folder / "mine.py")]))
