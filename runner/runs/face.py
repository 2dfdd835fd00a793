"""What a terminal shows of a run besides the conversation: a banner, a live line, notices, a closing line."""

from __future__ import annotations

import os
import sys
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import structlog

from runner import logs
from runner.settings.endpoint import LocalEndpoint
from runner.settings.input import FileInput, MicrophoneInput, QuestionInput, StdinInput
from runner.settings.output import StdoutOutput
from runner.standard_streams import STDERR, STDOUT, are_one_place

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from types import TracebackType

    from prompt_toolkit.history import History

    from runner.errors import RunnerError
    from runner.profile.load import LoadedProfile
    from runner.session.session import Session
    from runner.terminal.screen import Screen

_DUMB = {"dumb", "unknown"}


class Face:
    """The terminal of a run that is alone on it.

    Args:
        loaded: The profile of the run.
        screen: The terminal.
        is_quiet: Whether banner and closing line are left out.

    Attributes:
        screen: As above.
        has_log: Whether the log goes to the same terminal.
    """

    def __init__(self, loaded: LoadedProfile, screen: Screen, *, is_quiet: bool) -> None:
        self.screen = screen
        self.has_log = are_one_place(screen.descriptor, STDERR)
        self._loaded = loaded
        self._is_quiet = is_quiet
        self._obstacle = ""
        """What stands in the way of the first connection, as far as that was tried."""

    @property
    def shows_words(self) -> bool:
        """Whether the words of both sides of a spoken session show on the terminal."""
        return isinstance(self._loaded.profile.input, MicrophoneInput) and self.screen.descriptor == STDOUT

    async def __aenter__(self) -> Self:
        await self.screen.__aenter__()
        if not self._is_quiet:
            self.screen.say(_banner(self._loaded))
        self.screen.show_live(partial(_waiting, "connecting", monotonic()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._obstacle:
            self.screen.say(f"not connected: {self._obstacle}")
        await self.screen.__aexit__(kind, error, trace)

    def narrate(self, _logger: Any, level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Tell of a line of the log in words; raises `structlog.DropEvent` where the line need not be written too."""
        match line.get("event"):
            case "connection_failed":
                self._count_down(line)
                self._obstacle = str(line.get("error"))
            case "connecting_given_up" | "session_opened" | "session_resumed" | "session_closed":
                self._obstacle = ""
        from runner.runs.log_words import words_of

        words = words_of(level, line)
        if words:
            # What is told before or after its time is not for it.
            self.screen.say(words) if self.screen.is_shown else logs.tell(f"{words}\n")
        if words is None or not self.has_log:
            return line
        raise structlog.DropEvent

    def close(self, session: Session, *, duration_s: float, error: RunnerError | None) -> None:
        """Sum up what there was."""
        self.screen.show_live("")
        if not self._is_quiet and (error is None or session.usage.responses):
            from runner.inputs.usage_line import usage_line

            self.screen.say(usage_line(session.usage, session.carriage.cost(), duration_s))

    def _count_down(self, line: MutableMapping[str, Any]) -> None:
        self.screen.show_live(partial(_retrying, dict(line), monotonic() + float(line.get("retry_in_s", 0))))


def face_of(profiles: Sequence[LoadedProfile], *, is_quiet: bool, renders: bool = False) -> Face | None:
    """The face of the only run there is, where it has a terminal for a chat, for speech or for progress; else None.

    Args:
        profiles: The profiles that are run.
        is_quiet: Whether banner and closing line are left out.
        renders: Whether Markdown is rendered though the profile does not ask for it.

    Raises:
        ProfileError: What renders it is not installed.
    """
    if not _is_alone(profiles) or os.environ.get("TERM", "dumb") in _DUMB:
        return None
    loaded = profiles[0]
    screen = _screen(loaded, renders=renders)
    return Face(loaded, screen, is_quiet=is_quiet) if screen else None


def is_chat(profiles: Sequence[LoadedProfile]) -> bool:
    """Whether somebody at a terminal types what is said to the only run there is."""
    source = profiles[0].profile.input
    is_text = isinstance(source, StdinInput) and source.format == "text"
    return _is_alone(profiles) and is_text and sys.stdin.isatty() and sys.stdout.isatty()


def is_filter(profiles: Sequence[LoadedProfile]) -> bool:
    """Whether the only run there is answers text that comes from elsewhere, with a terminal for its log."""
    profile = profiles[0].profile
    match profile.input:
        case QuestionInput() | StdinInput(format="text" | "document"):
            return _is_alone(profiles) and profile.run.until != "signal" and sys.stderr.isatty()
        case _:
            return False


def _is_alone(profiles: Sequence[LoadedProfile]) -> bool:
    return len(profiles) == 1 and profiles[0].profile.run.sessions == 1


def _screen(loaded: LoadedProfile, *, renders: bool) -> Screen | None:
    """The terminal of a run, if it has one and something to show there."""
    shown = STDOUT if sys.stdout.isatty() else STDERR if sys.stderr.isatty() else None
    if shown is None:
        return None
    from runner.terminal.markdown_text import MarkdownText
    from runner.terminal.screen import Screen

    match loaded.profile.input:
        case StdinInput(format="text") as settings if shown == STDOUT and sys.stdin.isatty() and not _is_data(loaded):
            history = partial(_history, loaded.name if settings.history else "")
            renders = renders or any(
                isinstance(each, StdoutOutput) and each.markdown for each in loaded.profile.outputs
            )
            return Screen(STDOUT, "lines", history, MarkdownText() if renders else None)
        case MicrophoneInput():
            return Screen(shown, "keys" if sys.stdin.isatty() else "")
        case FileInput():
            return Screen(shown, "")
        case _:
            return None


def _is_data(loaded: LoadedProfile) -> bool:
    """Whether standard output has lines for programs, which nobody may cut into rows."""
    return any(isinstance(each, StdoutOutput) and each.format != "text" for each in loaded.profile.outputs)


def _history(name: str) -> History:
    from runner.inputs.chat_history import ChatHistory

    return ChatHistory(name)


def _banner(loaded: LoadedProfile) -> str:
    endpoint, model = loaded.profile.endpoint, loaded.profile.model
    where = "local endpoint" if isinstance(endpoint, LocalEndpoint) else endpoint.kind
    what = [where, *([model.name] if model and model.name else [])]
    match loaded.profile.input:
        case StdinInput():
            keys = "Ctrl-C stops an answer, Ctrl-D leaves, /help"
        case MicrophoneInput(push_to_talk=True):
            keys = "Ctrl-C stops an answer, q leaves"
        case _:
            keys = "Ctrl-C ends it"
    return f"{loaded.name}: {', '.join(what)} · {keys}"


def _waiting(what: str, since_s: float) -> str:
    passed_s = int(monotonic() - since_s)
    return f"{what}..." + (f" {passed_s} s" if passed_s else "")


def _retrying(line: dict[str, Any], due_s: float) -> str:
    left_s = max(0, due_s - monotonic())
    due = f" in {left_s:.0f} s" if round(left_s) else ""
    attempt = f"attempt {line.get('attempt')} of {line.get('max_attempts')}{due}"
    return f"{attempt}, Ctrl-C ends it: {line.get('error')}"
