"""The tests run in several processes, and what becomes of them is told once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # it runs another suite

RUN = """
import pytest
from tests.helpers.forked_suite import ForkedSuite

@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    ForkedSuite(session, [[0, 1], *([each] for each in range(2, len(session.items)))], 3).run()
    return True
"""
TESTS = """
import os, signal, time
from contextlib import suppress
import pytest

@pytest.fixture(scope="module")
def shared():
    yield
    os.write(3, b"down,")

@pytest.mark.parametrize("number", range(8))
def test_some(shared, tmp_path, number):
    os.write(3, f"{number},".encode())
    print("said by", number)
    if number == 2:
        os._exit(7)
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    assert number != 4
    if number == 5:
        pytest.skip("because")

@pytest.mark.timeout(0.5)
def test_what_hears_of_no_limit():
    while True:
        with suppress(BaseException):
            time.sleep(1)

def test_what_is_missing(missing):
    pass
"""


def test_each_test_runs_once_whatever_the_others_do(repository: Path, tmp_path: Path) -> None:
    """One fails, one is skipped, one has no fixture, one never ends, two end their processes, which are replaced."""
    (tmp_path / "conftest.py").write_text(RUN)
    (tmp_path / "test_them.py").write_text(TESTS)
    noted = tmp_path / "noted"
    command = f'exec {sys.executable} -m pytest -ra -p no:cacheprovider --rootdir "$0" "$0" 3>"$0/noted"'

    done = subprocess.run(["sh", "-c", command, tmp_path], cwd=repository, capture_output=True, text=True, check=False)

    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert re.search(r"^=+ 4 failed, 4 passed, 1 skipped, 1 error in ", done.stdout, re.MULTILINE)
    assert "the process that ran it ended with exit code 7" in done.stdout
    assert done.stdout.count("the process that ran it ended with exit code -9") == 2
    assert "said by 4" in done.stdout
    assert "said by 6" not in done.stdout
    told = noted.read_text().split(",")[:-1]
    assert sorted(each for each in told if each != "down") == list("01234567")
    assert "down" in told
