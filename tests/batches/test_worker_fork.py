"""Workers that are forked: only where nothing is lost in a fork."""

import threading
from pathlib import Path

from runner.batches.worker_fork import forked_workers
from runner.batches.worker_process import WorkerTask
from runner.profile import load_profile

PROFILE = 'version = 1\n[endpoint]\nkind = "local"\n'


def test_a_process_with_threads_is_not_forked(tmp_path: Path) -> None:
    """A thread would be missing in the worker, and the locks that it holds never be released."""
    (tmp_path / "echo.toml").write_text(PROFILE)
    task = WorkerTask(load_profile(str(tmp_path / "echo.toml"), environ={}), "warning", "json")
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        workers = forked_workers(2, task, give_up=lambda: None)
    finally:
        over.set()
        thread.join()

    assert workers == []
