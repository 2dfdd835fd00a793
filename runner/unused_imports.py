"""What libraries import wherever it is installed and no command uses: left out, or every start would pay for it."""

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final

_ABSENT: Final = {
    "httpcore._async.http2": ("httpcore._async",),  # HTTP/2
    "httpcore._backends.trio": ("httpcore",),  # sockets on trio, found when they are used
    "httpcore._async.socks_proxy": ("httpcore._async",),  # SOCKS, found when a proxy speaks it
    "httpcore._sync.http2": ("httpcore._sync",),
    "httpcore._sync.socks_proxy": ("httpcore._sync",),
    "httpx._main": ("httpx",),  # a command of its own, with click and Rich
    "rich": ("structlog.dev", "structlog.tracebacks"),  # tracebacks, which a log line has as text
}
"""What is not found, as though it were not installed, by these who import it; everybody else finds it."""
_LATE: Final = {"trio": ("httpcore._synchronization",)}
"""What these import when they use something of it, which a tool of the user may have them do."""
_PLUGINS: Final = "PYDANTIC_DISABLE_PLUGINS"
"""The variable that keeps pydantic from going through all that is installed before it makes its first model."""
_set_here: set[str] = set()
"""The variables that the environment did not have."""


class UnusedImports:
    """A finder of modules that stands before the others and leaves out what nobody uses."""

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Answer for what is left out; for everything else the next finder is asked.

        Raises:
            ModuleNotFoundError: Its importer does without it.
        """
        if name in _ABSENT and _importer() in _ABSENT[name]:
            msg = f"No module named {name!r}"
            raise ModuleNotFoundError(msg, name=name)
        return _late(name) if name in _LATE and _importer() in _LATE[name] else None


def leave_out() -> None:
    """Leave out, in this process and from now on, what no command uses."""
    sys.meta_path.insert(0, UnusedImports())
    if _PLUGINS not in os.environ:
        os.environ[_PLUGINS] = "__all__"
        _set_here.add(_PLUGINS)


def take_plugins() -> None:
    """Have pydantic take its plugins from now on, for models that are not ours."""
    if _PLUGINS in _set_here:
        _set_here.remove(_PLUGINS)
        os.environ.pop(_PLUGINS, None)


def inherited_environment() -> dict[str, str] | None:
    """What the programs that this process starts inherit, without what was set here; None where that is nothing."""
    return {name: value for name, value in os.environ.items() if name not in _set_here} if _set_here else None


def _importer() -> str:
    frame = sys._getframe(2)  # noqa: SLF001  # nothing else tells who imports
    while frame.f_code.co_filename.startswith("<frozen importlib") and frame.f_back:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


def _late(name: str) -> ModuleSpec | None:
    from importlib.util import LazyLoader

    spec = PathFinder.find_spec(name)
    if spec and spec.loader:
        spec.loader = LazyLoader(spec.loader)
    return spec
