"""Tools that are Python functions of this process."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, to_json

from runner import logs
from runner.errors import ProfileError
from runner.tools.call_arguments import UnfitArguments
from runner.tools.daemon_thread import run_in_thread
from runner.tools.function_signature import FunctionSignature
from runner.tools.output_text import text_of
from runner.tools.tool_error import ToolError
from runner.tools.tool_opening import opening
from runner.tools.tool_source import CallAnswer, OfferedTool
from runner.unused_imports import take_plugins

if TYPE_CHECKING:
    from runner.settings.tool import CallSettings, PythonRun, ToolSettings
    from runner.tools.tool_source import JsonObject


class CallableTool:
    """A tool that is a function; a synchronous one runs in a thread.

    Args:
        function: What is called with the arguments by name.
        name: What the model calls it.
        settings: The limits of its calls.
        description: What the model is told of it; by default its docstring.
        parameters: JSON Schema of its arguments; by default its signature.

    Raises:
        ProfileError: Its parameters cannot be given as a JSON object.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        settings: CallSettings,
        *,
        description: str | None = None,
        parameters: JsonObject | None = None,
    ) -> None:
        self._function = function
        self._signature = FunctionSignature(function, name)
        description = self._signature.description if description is None else description
        self.offered = OfferedTool(name, description, parameters or self._signature.parameters, settings)
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004  # asked for what it is, not whether it is there
        )
        self._threads = threading.Semaphore(settings.concurrency)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Nothing needs to be open."""
        yield

    def tools(self) -> Sequence[OfferedTool]:
        """The one tool."""
        return [self.offered]

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Call the function with these arguments; one in a thread goes on when it is given up."""
        try:
            call = partial(self._function, **self._signature.bound(arguments))
            if self._is_async:
                result = await call()
            elif self._threads.acquire(blocking=False):
                result = await run_in_thread(call, self._threads.release)
            else:
                return CallAnswer("The tool still works on calls that took too long.", is_failed=True, may_pass=True)
            if inspect.isawaitable(result):
                result = await result
            return CallAnswer(_text(result))
        except UnfitArguments:
            raise
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            # Nobody has cancelled the call, but something that the function has waited for.
            return CallAnswer("The tool was cancelled.", is_failed=True, may_pass=True)
        except ToolError as error:
            return CallAnswer(str(error), is_failed=True)
        except PydanticSerializationError as error:
            logs.logger().error("tool_raised", tool=name, error=str(error))
            return CallAnswer("The tool returned something that is no JSON.", is_failed=True)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # it is not ours; its author reads the log
            logs.logger().error("tool_raised", tool=name, exc_info=error)
            return CallAnswer(f"The tool failed with {type(error).__name__}.", is_failed=True, may_pass=True)


class PythonTool:
    """A function that a profile names, imported when the source opens."""

    def __init__(self, settings: ToolSettings, run: PythonRun) -> None:
        self._settings = settings
        self._run = run
        self._tool: CallableTool | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Import the function, in a thread: it may bring much along.

        Raises:
            ProfileError: There is no such function, or its signature makes no schema.
        """
        each = self._settings
        with opening(each.name):
            function = await run_in_thread(partial(_imported, self._run))
            self._tool = CallableTool(
                function, each.name, each, description=each.description, parameters=each.parameters
            )
        yield

    def tools(self) -> Sequence[OfferedTool]:
        """The one tool, once it is imported."""
        return self._tool.tools() if self._tool else []

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Call the function."""
        assert self._tool is not None  # noqa: S101  # what is not offered is not called
        return await self._tool.call(name, arguments)


def _imported(run: PythonRun) -> Callable[..., Any]:
    """The function that settings name.

    Raises:
        ProfileError: It cannot be imported, or is no function.
    """
    module_name, _, path = run.function.partition(":")
    if run.path is not None and str(run.path) not in sys.path:
        # Last: whatever is called as a module of Python or of rt-run is not taken from there.
        sys.path.append(str(run.path))
    take_plugins()
    try:
        found: Any = import_module(module_name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        msg = f"{module_name} cannot be imported: {reason}"
        raise ProfileError(msg, hint=_hint(run)) from error
    if run.path is not None and not _is_below(getattr(found, "__file__", None), run.path):
        where = getattr(found, "__file__", None) or "Python itself"
        msg = f"{module_name} is imported from {where}, and not from {run.path}"
        raise ProfileError(msg, hint="give the module a name that nothing else has")
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        msg = f"there is no function {path} in {module_name}"
        raise ProfileError(msg, hint="a function is named as package.module:function")
    return found  # type: ignore[no-any-return]  # callable() cannot say more


def _hint(run: PythonRun) -> str:
    if run.path is None:
        return "install it beside rt-run, or name its folder: `path`"
    return f"it is looked for in {run.path}"


def _is_below(file: str | None, folder: Path) -> bool:
    return file is not None and Path(file).resolve().is_relative_to(folder.resolve())


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _text(result: Any) -> str:
    """What a function has returned as text: a text as it is, everything else as JSON."""
    if isinstance(result, str):
        return result
    if isinstance(result, bytes | bytearray):
        return text_of(bytes(result))
    return to_json(result, inf_nan_mode="null").decode()
