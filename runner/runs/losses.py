"""What was asked, said, heard or received and has reached nobody by the end of a run: the one place that knows it.

Wherever something is lost, it is logged there and then, and noted; here it becomes one list, from which the run's
exit code follows: 76, or the endpoint's own reason, for what the endpoint has not sent; 74 for what could not be sent
or written; 78 for what the profile made impossible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import logs
from runner.errors import InputError, OutputError, ProfileError, ProtocolError, RunnerError
from runner.settings.input import answers_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.protocol.conversation import Conversation
    from runner.session.session import Session
    from runner.settings.profile import Profile

JUDGED_ENDS = frozenset({"input-end", "response-done", "idle", "hung-up"})
"""The ends of a run that promise that nothing is lost: its own. Who leaves or sends a signal cuts it off."""

_MOST_NAMES = 5


def losses(
    session: Session | None, profile: Profile, *, unwritten: str, keeps_words: bool = False
) -> Iterator[RunnerError]:
    """What a run has lost, the first thing that was asked for first.

    Args:
        session: The run's session, None where none was opened.
        profile: The run's profile.
        unwritten: The outputs that could not write all that they had taken, nothing where they could.
        keeps_words: Whether what is said in words reaches somebody besides the outputs.
    """
    if unwritten:
        yield OutputError(f"not everything could be written in time to {unwritten}")
    if session is None:
        return
    if session.first_unanswered:
        yield session.first_unanswered
    if session.dropped_audio_bytes:
        msg = f"{session.dropped_audio_bytes} bytes of audio waited for a connection for too long, and were not sent"
        yield InputError(msg, hint="raise `run.reconnect.max_audio_age_s`")
    yield from _unshown(session.state.conversation, profile, keeps_words=keeps_words)
    runs, calls = session.state.rounds.runs, session.state.conversation.unanswered_calls
    names = [each.name for each in calls if not (each.call_id and runs(each.name))]
    if names and not answers_calls(profile.input):
        called = ", ".join(dict.fromkeys(names[:_MOST_NAMES]))
        hint = 'answer with client events (input.format = "events"), or from a Python program'
        yield ProfileError(f"the model has called {called}, and nothing in this profile can answer it", hint=hint)


def _unshown(conversation: Conversation, profile: Profile, *, keeps_words: bool) -> Iterator[RunnerError]:
    """Answers of a kind that no output of the profile shows; none where it has no outputs at all."""
    kinds = {each.kind if each.kind != "stdout" else each.format for each in profile.outputs}
    if not kinds or "events" in kinds:
        return
    answers = [
        item
        for item in conversation.items
        if item.type == "message" and item.role == "assistant" and item.response_id and item.status == "completed"
    ]
    unheard = sum(bool(item.audio_characters) and not item.text for item in answers)
    if unheard and not any(each.plays_answers for each in profile.outputs):
        hint = 'add an output that plays it, such as kind = "audio"'
        yield ProfileError(f"{unheard} answers came as audio without words, and no output plays them", hint=hint)
    unseen = sum(bool(item.text) and not item.audio_characters for item in answers)
    if unseen and not (keeps_words or kinds & {"text", "json", "transcript"}):
        hint = 'add an output that shows it, such as kind = "stdout"'
        yield ProtocolError(f"{unseen} answers came as text without audio, and no output shows them", hint=hint)


def judged(lost: Iterable[RunnerError], error: RunnerError | None, reason: str) -> RunnerError | None:
    """Name what has reached nobody; returns the run's failure, which that is where the run ended as it was meant to.

    Args:
        lost: What has reached nobody.
        error: Why the run has failed already, None where it has not.
        reason: Why it has ended.
    """
    for each in lost:
        if error is None and (reason in JUDGED_ENDS or isinstance(each, OutputError)):
            error = each
        elif each is not error:
            logs.logger().error("lost", exit_code=each.exit_code, **each.facts)
    return error
