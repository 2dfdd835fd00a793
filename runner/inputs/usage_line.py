"""What a session has used, in one line for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.protocol.usage import Usage

_PRECISE_S = 10.0


def usage_line(usage: Usage, cost: float | None, duration_s: float) -> str:
    """Answers, tokens, where it is known what they cost, and how long it took."""
    tokens = usage.input_tokens + usage.output_tokens
    tokens += usage.transcription_input_tokens + usage.transcription_output_tokens
    parts = [_counted(count, what) for count, what in ((usage.responses, "answer"), (tokens, "token")) if count]
    if usage.transcription_s:
        parts.append(f"{_duration(usage.transcription_s)} transcribed")
    if cost is not None:
        parts.append(f"cost {cost:.4f}")
    return " · ".join([*parts, _duration(duration_s)])


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _duration(duration_s: float) -> str:
    if duration_s < _PRECISE_S:
        return f"{duration_s:.1f} s"
    minutes, rest_s = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest_s} s" if minutes else f"{rest_s} s"
