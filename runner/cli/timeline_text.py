"""A timeline as text for people, on a terminal or in a file."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from runner.journal.rows import Row, Summary
from runner.journal.timeline import Timeline
from runner.protocol.severity import plain

_LEAST_WIDTH: Final = 40
_WHO_WIDTH: Final = 10
_MARGIN: Final = 12
_JOINT: Final = "\u00a0"
"""Stands for a space at which no line may be broken."""
_COLOURS: Final = {"user": "36", "assistant": "32", "tool": "35", "error": "1;31", "connection": "34"}
_ALARMING: Final = frozenset({"failed", "lost", "interrupted", "incomplete"})
_SECONDS: Final = {
    "spoke_s": "spoke {} s",
    "audio_s": "{} s of audio",
    "transcribed_s": "written down after {} s",
    "first_s": "first after {} s",
    "done_s": "done after {} s",
    "heard_s": "{} s heard",
    "took_s": "took {} s",
}
"""Facts that are durations, in the order in which they are shown."""
_PLACEHOLDERS: Final = {"user": "(spoke)", "assistant": "(nothing)", "tool": "(a call that is not in this journal)"}
_TOKENS: Final = ("input_tokens", "cached_tokens", "output_tokens")
_OWN_LINES: Final = ("output", "error", "differs")
_SHOWN_OTHERWISE: Final = frozenset(
    {
        *_SECONDS,
        *_TOKENS,
        *_OWN_LINES,
        "status",
        "calls",
        "interrupts",
        "cause",
        "cause_at_s",
        "note",
        "first_audio_s",
        "key",
        "segments",
    }
)


class Palette:
    """Colours of a terminal.

    Args:
        coloured: Whether there are any.
    """

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, the number of an escape sequence; nothing leaves it as it is."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured and colour else text


def text(timeline: Timeline, palette: Palette, *, width: int | None) -> str:
    """The whole timeline; no control character of the endpoint's gets into it.

    Args:
        timeline: What happened.
        palette: The colours.
        width: Where lines are broken, in characters; None never breaks them.
    """
    lines = [*_head(timeline, palette), ""]
    for row in timeline.rows:
        lines += _row(row, palette, width)
    return "\n".join([*lines, "", *_foot(timeline.summary(), palette)]) + "\n"


def _head(timeline: Timeline, palette: Palette) -> Iterator[str]:
    header = timeline.header
    named = {"session": header.session_id, "model": header.model, "profile": header.profile}
    title = "   ".join(f"{name} {plain(value)}" for name, value in named.items() if value)
    yield palette.paint(title or "a session without a greeting", "1")
    started = datetime.fromtimestamp(header.started_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f"{started}   {_offset(header.duration_s)} long   {_counted(header.connections, 'connection')}"


def _row(row: Row, palette: Palette, width: int | None) -> Iterator[str]:
    colour = _COLOURS.get(row.who, "2")
    indent = " " * (_MARGIN + 2 + _WHO_WIDTH + 2)
    room = max(_LEAST_WIDTH, width - len(indent)) if width else None
    first, *more = _wrapped(plain(row.text) or _placeholder(row), room)
    time = palette.paint(f"{_offset(row.at_s):>{_MARGIN}}", "2")
    yield f"{time}  {palette.paint(f'{row.who:<{_WHO_WIDTH}}', colour)}  {first}"
    yield from (indent + each for each in more)
    for line, alarming in _details(row):
        yield from (indent + palette.paint(each, "33" if alarming else "2") for each in _wrapped(line, room))


def _placeholder(row: Row) -> str:
    if row.facts.get("calls"):
        return "(calls " + plain(", ".join(map(str, row.facts["calls"]))) + ")"
    return _PLACEHOLDERS.get(row.who, "")


def _details(row: Row) -> Iterator[tuple[str, bool]]:
    """The lines beneath a row, each with whether it is alarming."""
    facts = row.facts
    phrases = [_status(facts)] if "status" in facts else []
    phrases += [phrase.format(_seconds(facts[key])) for key, phrase in _SECONDS.items() if key in facts]
    if "input_tokens" in facts:
        phrases.append("{} tokens in ({} cached), {} out".format(*(facts.get(key, 0) for key in _TOKENS)))
    others = {key: value for key, value in facts.items() if key not in _SHOWN_OTHERWISE} | facts.get("note", {})
    phrases += [f"{plain(key).replace('_', ' ')} {plain(str(value))}" for key, value in others.items() if value != ""]
    if facts.get("interrupts"):
        phrases.append("interrupts the assistant")
    if phrases:
        yield (
            " · ".join(each.replace(" ", _JOINT) for each in phrases),
            facts.get("status") in _ALARMING or "interrupts" in facts,
        )
    if "cause" in facts:
        yield f"caused by {plain(str(facts['cause']))} at {_offset(facts['cause_at_s'])}", False
    if "output" in facts:
        yield f"→ {plain(str(facts['output']))}", False
    if "error" in facts:
        yield f"error: {plain(str(facts['error']))}", True
    for each in facts.get("differs", ()):
        yield f"not as asked: {plain(str(each))}", True


def _status(facts: dict[str, Any]) -> str:
    return plain(str(facts["status"])) or "ended"


def _foot(summary: Summary, palette: Palette) -> Iterator[str]:
    counts = (
        _counted(summary.turns, "turn"),
        _counted(summary.responses, "response"),
        _counted(summary.tool_calls, "tool call"),
        _counted(summary.interruptions, "interruption"),
        _counted(summary.reconnects, "reconnect"),
        _counted(summary.rollovers, "rollover"),
    )
    errors = palette.paint(_counted(summary.errors, "error"), "1;31" if summary.errors else "")
    yield " · ".join([*counts, errors])
    if summary.median_first_s is not None and summary.max_first_s is not None:
        middle, most = _seconds(summary.median_first_s), _seconds(summary.max_first_s)
        yield f"first piece of an answer: median {middle} s, at most {most} s"
    yield f"tokens: {summary.input_tokens} in ({summary.cached_tokens} cached), {summary.output_tokens} out"
    yield f"audio: {_seconds(summary.heard_s)} s sent, {_seconds(summary.spoken_s)} s received"


def _wrapped(line: str, room: int | None) -> list[str]:
    lines = textwrap.wrap(line, room) if room else [line]
    return [each.replace(_JOINT, " ") for each in lines] or [""]


def _offset(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:06.3f}" if hours else f"{minutes}:{rest:06.3f}"


def _seconds(value: Any) -> str:
    return f"{value:.2f}"


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
