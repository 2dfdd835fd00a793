"""How the environment that rt-run is installed in gets what it lacks."""

import os
import shlex
import sys
from pathlib import Path


def install_command(extra: str) -> str:
    """The command that adds an extra where rt-run is installed: of pipx, uv or pip, or the next build of an image.

    rt-run itself is there already, so its extras are known without any registry.
    """
    prefix = Path(sys.prefix)
    wanted = f"'rt-run[{extra}]'"
    if (prefix / "container-image").exists():
        return f"podman build -f deploy/Containerfile --build-arg EXTRAS={extra} -t rt-run ."
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx runpip {prefix.name} install {wanted}"
    pip = prefix / "bin" / "pip"
    if pip.exists():
        return f"{_shown(pip)} install {wanted}"
    return f"uv pip install --python {_shown(prefix)} {wanted}"


def _shown(path: Path) -> str:
    """The path as a shell takes it, relative where it is below the working directory."""
    try:
        return shlex.quote(str(path.relative_to(Path.cwd())))
    except (ValueError, OSError):
        return shlex.quote(os.fspath(path))
