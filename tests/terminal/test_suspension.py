"""A program that its user stops for a while."""

import os
import signal
import subprocess
import sys
from select import select

PROGRAM = """
from threading import Thread
from runner.terminal.suspension import suspend
thread = Thread(target=suspend)
thread.start()
thread.join()
print("on", flush=True)
"""


def test_it_stops_once_and_goes_on() -> None:
    """What follows waits until the program goes on; all threads stop, whichever takes the signal."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, process_group=0) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert process.stdout is not None
        said_before, _, _ = select([process.stdout], [], [], 0)
        process.send_signal(signal.SIGCONT)
        said = process.stdout.read()

    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGTSTP
    assert (said_before, said, process.returncode) == ([], b"on\n", 0)
