"""Makes the one input of a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runner.settings.input import FileInput, MicrophoneInput, NoInput, QuestionInput, StdinInput

if TYPE_CHECKING:
    from runner.inputs.broadcast import Broadcast
    from runner.inputs.session_input import SessionInput
    from runner.settings.profile import Profile
    from runner.terminal.screen import Screen


def at_terminal() -> bool:
    """Whether both standard input and standard output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def make_input(
    profile: Profile, stdin: Broadcast, *, is_alone: bool, screen: Screen | None = None, save_as: str = ""
) -> SessionInput:
    """Make the input that a profile names, and import only what it needs.

    Args:
        profile: The profile of the run.
        stdin: Standard input; what it brings from now on is held for this run, where the run reads it.
        is_alone: Whether the terminal, where there is one, belongs to this run alone.
        screen: The terminal, where it is drawn on and its keys are read.
        save_as: The name of the file that a chat is saved in where its user gives none.
    """
    match profile.input:
        case NoInput():
            from runner.inputs.session_input import EmptyInput

            return EmptyInput()
        case StdinInput(format="audio") as settings:
            from runner.inputs.piped_audio import PipedInput

            return PipedInput(settings, stdin.listen())
        case StdinInput(format="document") as settings:
            from runner.inputs.message_input import MessageInput

            most = settings.max_line_bytes
            return MessageInput(settings.question, stdin.listen(max_line_bytes=most), max_bytes=most)
        case QuestionInput(question=question):
            from runner.inputs.message_input import MessageInput

            return MessageInput(question)
        case StdinInput() as settings:
            if settings.format == "text" and screen is not None:
                from runner.inputs.chat import Chat

                return Chat(screen, save_as=save_as)
            lines = stdin.listen(max_line_bytes=settings.max_line_bytes)
            if settings.format == "text" and is_alone and at_terminal():
                from runner.inputs.plain_chat import PlainChat

                return PlainChat(lines)
            from runner.inputs.line_input import LineInput

            return LineInput(settings, lines)
        case FileInput() as settings:
            from runner.inputs.recording import RecordedInput

            return RecordedInput(settings)
        case MicrophoneInput() as settings:
            from runner.inputs.spoken_input import SpokenInput

            return SpokenInput(settings, screen)
