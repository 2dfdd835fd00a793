"""What lines of the log say in words, for somebody at a terminal who does not read logs."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Line = Mapping[str, Any]


def words_of(level: str, line: Line) -> str | None:
    """A line in words: nothing where it need not be told, None where there are no words for it.

    Args:
        level: The line's level.
        line: The line.
    """
    find = _WORDS.get(str(line.get("event")))
    if find is not None:
        return find(line)
    return "" if level in {"debug", "info"} else None


def seconds(duration_s: Any) -> str:
    """A duration as people say it."""
    return f"{duration_s:.1f} s" if isinstance(duration_s, int | float) else "a while"


def _because(line: Line) -> str:
    return f": {line['error']}" if line.get("error") else ""


def _resumed(line: Line) -> str:
    lost = line.get("audio_dropped_bytes")
    return f"connection lost, back after {seconds(line.get('gap_s'))}" + (
        "; what was said meanwhile is lost" if lost else ""
    )


def _fallen_back(line: Line) -> str:
    how = _because(line) or ": its responses keep failing"
    return f"{line.get('provider')} fails{how}; {line['next']} takes over" if line.get("next") else ""


def _goes_on(line: Line) -> str:
    asked = ", and asks again what was not answered" if line.get("asked_again") else ""
    return f"goes on with a conversation of {line.get('items', 0)} items{asked}"


_WORDS: Final[Mapping[str, Callable[[Line], str]]] = {
    "connection_failed": lambda line: "",
    "connection_lost": lambda line: "",
    "connecting_given_up": lambda line: "",
    "provider_failed": _fallen_back,
    "provider_left_alone": lambda line: "",
    "session_resumed": _resumed,
    "fork_refused": lambda line: f"the endpoint does not fork the session, and is told what was said{_because(line)}",
    "response_failed": lambda line: f"the response failed{_because(line)}",
    "response_retried": lambda line: f"asking again, attempt {line.get('failures', 0) + 1}",
    "response_lost": lambda line: f"the answer is lost{_because(line)}",
    "response_incomplete": lambda line: f"the answer is cut short: {line.get('reason') or 'no reason is given'}",
    "response_given_up": lambda line: f"the answer was lost with its connection{_because(line)}",
    "response_cancelled": lambda line: "the answer was cancelled, since the time to end is over",
    "grace_expired": lambda line: f"the end took longer than {seconds(line.get('grace_s'))} and is cut short",
    "transcription_failed": lambda line: f"what you said could not be written down{_because(line)}",
    "limit_near": lambda line: f"limit near: {line.get('spent')} of {line.get('limit')} ({line.get('name')})",
    "limit_reached": lambda line: f"limit reached: {line.get('spent')} of {line.get('limit')} ({line.get('name')})",
    "configuration_drifted": lambda line: f"the endpoint does not do what the profile asks for: {line.get('drift')}",
    "profile_suspicious": lambda line: str(line.get("problem")),
    "history_not_kept": lambda line: f"what you type is not kept for the next chat{_because(line)}",
    "tool_called": lambda line: (
        "" if line.get("outcome") == "ok" else f"{line.get('tool')} was called: {line.get('outcome')}"
    ),
    "tool_unreachable": lambda line: f"{line.get('tool')} cannot be reached{_because(line)}",
    "state_resumed": _goes_on,
    "state_cut": lambda line: f"the state has no room for the {line.get('items')} oldest items",
    "tool_interrupted": lambda line: f"{line.get('tool')} is not run again: how it has ended is not known",
    "tool_not_run": lambda line: f"{line.get('tool')} was not run: {line.get('reason')}",
    "microphone_overflowed": lambda line: "some of what the microphone heard is lost: the machine is too slow",
    "speaker_interrupted": lambda line: "the sound had gaps: audio came too late, or the machine is too slow",
    "microphone_lost": lambda line: f"{line.get('device')} has gone",
    "microphone_replaced": lambda line: f"listening to {line.get('device')}",
    "speaker_lost": lambda line: f"{line.get('device')} has gone",
}
