"""Ctrl-C that comes while an object is freed, and that Python would drop."""

import _thread
import signal
import sys
import threading
import time


def interrupt_soon():
    """Press Ctrl-C again as soon as the function that calls has ended: Python drops one that comes in a finaliser."""
    _thread.start_new_thread(_interrupt_after, (sys._getframe(1).f_code,))


def _interrupt_after(code):
    while _is_run_by_main_thread(code):
        time.sleep(0.001)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        _thread.interrupt_main()  # on Windows; this does not wake anybody up


def _is_run_by_main_thread(code):
    frame = sys._current_frames().get(threading.main_thread().ident)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None
