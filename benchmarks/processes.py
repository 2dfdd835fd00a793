"""What the processes have in common that are measured."""

import os
from collections.abc import Mapping


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """An environment without proxies, keys and settings of whoever runs this, but for these variables."""
    return {**{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}, **more}
