"""Packages of Node.js, installed into a temporary folder as a lock file says; a test that cannot have them skips."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

OLDEST_NODE = 20
OFFLINE = re.compile(r"ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENOTCACHED|EHOSTUNREACH|ENETUNREACH")


def installed(name: str, source: Path, folder: Path, *, timeout_s: float) -> str:
    """Install what `package.json` and the lock file beside it name; returns the path of Node.js.

    Args:
        name: What the reasons of a skip call it.
        source: Where the two files are.
        folder: Where the packages go.
        timeout_s: How long npm may take, in seconds.
    """
    node = _node(name)
    for each in ("package.json", "package-lock.json"):
        shutil.copy(source / each, folder)
    install = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not fetch {name} within {timeout_s:g} s")
    if done.returncode and OFFLINE.search(done.stderr):
        pytest.skip(f"npm cannot reach a registry to fetch {name} from")
    assert done.returncode == 0, done.stderr
    return node


def _node(name: str) -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(f"{name} needs Node.js and npm, and one of them is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"{name} needs Node.js {OLDEST_NODE} or later, and {version} is installed")
    return node
