"""Stops the program until its user has it go on, as Ctrl-Z asks for."""

import os
import signal
import time

_LOOK_S = 0.001
_STOP_S = 0.02
"""How long a signal that was taken may need to stop all threads, in seconds."""


def suspend() -> None:
    """Stop the process group; returns when it goes on.

    Another thread takes the signal, whenever a busy machine lets it. Until then this one must not go on, since whoever
    waits for its return takes the terminal back.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
    try:
        os.kill(0, signal.SIGTSTP)
        while signal.SIGTSTP in signal.sigpending():
            time.sleep(_LOOK_S)
        time.sleep(_STOP_S)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
