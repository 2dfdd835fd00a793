"""The Python API: the names that programs may rely on."""

import inspect
import re
from typing import get_args

import pytest

import runner
from tests.helpers.peer import Peer, profile_for, serving


def test_the_public_names_are_these() -> None:
    """A change here is a change for users."""
    assert runner.__all__ == [
        "AnswerInterrupted",
        "ApprovalAsked",
        "ApprovalRequest",
        "AudioDelta",
        "Concluded",
        "Configured",
        "Effect",
        "ErrorReported",
        "EventMalformed",
        "EventUnknown",
        "FieldUnreadable",
        "FunctionAnswered",
        "FunctionCalled",
        "KeyPressed",
        "LoadedProfile",
        "Opened",
        "Played",
        "Profile",
        "ProfileProblems",
        "RateLimitCrossed",
        "Reader",
        "ResponseEnded",
        "ResponseRetried",
        "ResponseStarted",
        "RunnerError",
        "SegmentTranscribed",
        "ServerCalled",
        "ServerListed",
        "Session",
        "SessionEnded",
        "SpeechStarted",
        "SpeechStopped",
        "Subscription",
        "TaskDelegated",
        "TextCorrected",
        "TextDelta",
        "ToolError",
        "TranscriptDelta",
        "TranscriptionEnded",
        "TranscriptionStarted",
        "Truncated",
        "TurnEnded",
        "Update",
        "Usage",
        "UserIdle",
        "__version__",
        "load_profile",
        "make_profile",
        "open_session",
    ]
    assert all(getattr(runner, name) for name in runner.__all__)
    assert dir(runner) == sorted(runner.__all__)


def test_every_effect_is_public() -> None:
    """Whoever reads effects can name them all."""
    assert {each.__name__ for each in get_args(runner.Effect)} <= set(runner.__all__)


def test_the_methods_of_a_session_that_programs_rely_on_are_these() -> None:
    """The docstring of `Session` names them, and each of them is there."""
    listed = re.search(r"Programs may rely on (.*?)\. Everything else", inspect.getdoc(runner.Session) or "", re.DOTALL)
    assert listed
    names = re.findall(r"`(\w+)`", listed[1])

    assert names == [
        "id",
        "is_resumed",
        "usage",
        "failure",
        "ask",
        "stream",
        "effects",
        "events",
        "say",
        "send",
        "respond",
        "cancel",
        "update",
        "append_audio",
        "tool",
        "wait_idle",
        "aclose",
    ]
    assert all(inspect.getdoc(getattr(runner.Session, name)) for name in names)


def test_other_names_are_an_error_of_python() -> None:
    """A mistyped name is no special case."""
    with pytest.raises(AttributeError, match="open_sesion"):
        _ = runner.open_sesion


@pytest.mark.anyio
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("mine")])
async def test_what_the_body_raises_leaves_as_it_is(error: BaseException) -> None:
    """No exception of the caller's is wrapped in a group, not even one that ends the program."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, _):
        caught: BaseException | None = None
        try:
            async with runner.open_session(profile_for(port)):
                raise error  # noqa: TRY301  # as a program would
        except BaseException as raised:  # noqa: BLE001  # that is the question
            caught = raised
        assert caught is error


@pytest.mark.anyio
async def test_what_is_no_event_is_reported_as_such() -> None:
    """A text is no client event."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, _), runner.open_session(profile_for(port)) as session:
        with pytest.raises(runner.RunnerError, match="not str"):
            await session.send("Hello")  # type: ignore[arg-type]  # that is the mistake
