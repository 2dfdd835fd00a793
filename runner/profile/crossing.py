"""The `[session]` by which a Live session takes over from a realtime one, or a realtime one from a Live session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from runner.api.live_delegation import ResponsesDelegation
from runner.profile.filling import session_filled
from runner.protocol.session_format import DIRECTIONS, format_of
from runner.protocol.session_update import session_update
from runner.protocol.tool_place import CALLABLE, hosted_tools, tools_of, with_tools
from runner.settings.input import QuestionInput, StdinInput
from runner.settings.profile import RealtimeSettings, SessionSettings, is_live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.profile.keys import Key
    from runner.protocol.json_fields import JsonObject
    from runner.settings.profile import Profile

Unfit = tuple["Key", str, str]
"""The key of what a session cannot go on with, why, and what to do about it."""


class Crossing(NamedTuple):
    """What a session asks for while a session of the other kind carries it."""

    session: SessionSettings
    left_out: list[tuple[Key, str]]
    """What of the session's own profile the other kind does not have, each with the reason."""
    unfit: list[Unfit]
    """Why the session cannot go on there."""


def cross(own: Profile, other: Profile, *, name: str) -> Crossing:
    """The other profile's `[session]` with the instructions and the tools of the session's own profile.

    Args:
        own: The session's own profile.
        other: The one that takes over, of the other kind.
        name: What the session's own profile is called.
    """
    session = session_filled(own, other.session, name=name, started=datetime.now(UTC))
    asked = session.model_dump(mode="json", exclude_unset=True)
    for key in ("instructions", "model"):
        asked.pop(key, None)
    if instructions := getattr(own.session, "instructions", None):
        asked["instructions"] = instructions
    tools = tools_of(own.session.model_dump(mode="json", exclude_unset=True))
    unfit = [*_formats(own, other), *_programs(own)]
    if tools and is_live(session) and not isinstance(session.delegation, ResponsesDelegation):
        hint = 'write [session.delegation] with type = "responses" and responses = { model = "…" } there'
        unfit.append((("session", "tools"), "a Live model calls no tools itself", hint))
    else:
        asked = _offering(asked, tools)
    left_out = [*_lacking(own, other), *_unpriced(own, other)]
    return Crossing(type(session).model_validate({**asked, "type": session.type}), left_out, unfit)


def _offering(asked: JsonObject, tools: list[JsonObject]) -> JsonObject:
    """A session object with our tools in place of its own; what only the Responses API has stays there."""
    if not isinstance(asked.get("delegation"), dict):
        asked = {key: value for key, value in asked.items() if key != "tools"}
    elif tools_of(asked):
        backend = {**asked["delegation"]["responses"], "tools": hosted_tools(asked)}
        asked = {**asked, "delegation": {**asked["delegation"], "responses": backend}}
    return with_tools(asked, tools) if tools else asked


def _formats(own: Profile, other: Profile) -> Iterator[Unfit]:
    """Where the two sound otherwise, which nothing that goes in or comes out could follow."""
    ours, theirs = (session_update(each)["session"] for each in (own, other))
    for side in DIRECTIONS:
        here, there = format_of(ours, side), format_of(theirs, side)
        if here != there:
            place: Key = () if other.session.type == "live" else (side,)
            named = [f"{each.encoding} at {each.rate} Hz" for each in (there, here)]
            reason = f"it is {named[0]}, and the {side} of this session is {named[1]}"
            yield ("session", "audio", *place, "format"), reason, "give both profiles the same format"


def _programs(own: Profile) -> Iterator[Unfit]:
    """What speaks the protocol of one kind of session by itself."""
    if isinstance(own.input, StdinInput) and own.input.format == "events":
        yield ("input", "format"), f"the client events that come in are those of a {own.session.type} session", ""


def _hears(profile: Profile) -> bool:
    """Whether a session may be spoken to, by its input or by a program."""
    given = profile.input
    return not isinstance(given, QuestionInput) and (not isinstance(given, StdinInput) or given.format == "audio")


def _unpriced(own: Profile, other: Profile) -> Iterator[tuple[Key, str]]:
    """What the other kind of session costs, and our limit on money does not count."""
    prices = other.run.limits.prices
    if own.run.limits.max_cost is None or prices is None or not is_live(other.session):
        return
    if not prices.live_minute:
        yield ("run", "limits", "prices", "live_minute"), "its minutes have no price, and max_cost leaves them out"


def _lacking(own: Profile, other: Profile) -> Iterator[tuple[Key, str]]:
    """What the other kind of session does not have, and ours goes on without."""
    ours, theirs = own.session, other.session
    if isinstance(ours, RealtimeSettings) and ours.prompt is not None:
        yield ("session", "prompt"), "a Live session has none"
    if not is_live(ours) or not isinstance(theirs, RealtimeSettings):
        return
    for key in ("input", "triggers"):
        if getattr(ours, key):
            yield ("session", key), "a realtime session has none"
    heard = theirs.audio.input if theirs.audio else None
    if _hears(own) and (heard is None or heard.transcription is None):
        where: Key = ("session", "audio", "input", "transcription")
        yield where, "what is said there is not written down, and unknown to the session that follows"
    if not isinstance(ours.delegation, ResponsesDelegation):
        return
    backend: Key = ("session", "delegation", "responses")
    if ours.delegation.responses.instructions:
        yield (*backend, "instructions"), "a realtime model calls the tools itself"
    for index, tool in enumerate(ours.delegation.responses.tools or ()):
        if tool.type not in CALLABLE:
            yield (*backend, "tools", index), f"a realtime model has no {tool.type}"
