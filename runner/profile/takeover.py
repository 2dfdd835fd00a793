"""What becomes of a profile where another one's endpoint, auth, model and prices take over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import BaseModel

from runner.api.session_types import TALKING
from runner.profile.crossing import Unfit, cross
from runner.profile.layers import Layer
from runner.profile.rules import broken_rules
from runner.settings.endpoint import AzureEndpoint, OpenAIEndpoint
from runner.settings.profile import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.profile.keys import Key
    from runner.profile.problems import Problem
    from runner.settings.profile import Profile, SessionSettings

_VOICE: Final[Key] = ("session", "audio", "output", "voice")
_TRANSCRIBER: Final[Key] = ("session", "audio", "input", "transcription", "model")
_LEFT_OUT: Final = frozenset({"reasoning-unsupported", "voice-unsupported", "model-lacks", "temperature-removed"})
"""The codes of the rules about what one model takes and another does not."""
_HOSTED_VOICES: Final = frozenset(
    {"alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"}
)


class Takeover(NamedTuple):
    """A profile with another one's endpoint, auth, model and prices."""

    profile: Profile
    left_out: list[tuple[Key, str]]
    """What the other model is not asked for since it cannot do it, each with the reason."""
    unfit: list[Unfit]
    """Why the session cannot go on there."""


def taken_over(own: Profile, other: Profile, *, name: str = "") -> Takeover:
    """The profile of a session while another one carries it: what it does stays, where and by what it runs changes.

    Args:
        own: The session's own profile.
        other: The one that takes over; of its `[session]` its models count, and its voice where ours is not had there.
            Where that is of the other kind, realtime or Live, all of it counts but instructions and tools.
        name: What the session's own profile is called.
    """
    if own.session.type != other.session.type:
        return _crossed(own, other, name)
    session = own.session
    if _said(other, _TRANSCRIBER) and _said(own, _TRANSCRIBER):
        session = _with(session, _TRANSCRIBER[1:], _said(other, _TRANSCRIBER))
    if _said(own, ("session", "model")):
        session = _without(session, ("model",))
    left_out: list[tuple[Key, str]] = []
    if reason := _foreign_voice(own, other):
        left_out.append((_VOICE, reason))
        session = _without(session, _VOICE[1:])
    unfit = list(_elsewhere(own, other))
    for problem, key in _broken(_combined(own, other, session)):
        if problem.code in _LEFT_OUT and key[0] == "session":
            left_out.append((key, problem.problem))
            session = _without(session, key[1:])
        else:
            unfit.append((key, problem.problem, problem.hint))
    if any(key == _VOICE for key, _ in left_out) and (voice := _said(other, _VOICE)):
        session = _with(session, _VOICE[1:], voice)
    return Takeover(_combined(own, other, session), left_out, unfit)


def _crossed(own: Profile, other: Profile, name: str) -> Takeover:
    """The same where a Live session takes over from a realtime one, or a realtime one from a Live session."""
    unfit = list(_elsewhere(own, other))
    if not {own.session.type, other.session.type} <= TALKING:
        return Takeover(_combined(own, other, own.session), [], unfit)
    crossing = cross(own, other, name=name)
    combined = _combined(own, other, crossing.session)
    unfit += crossing.unfit
    unfit += [(key, problem.problem, problem.hint) for problem, key in _broken(combined)]
    return Takeover(combined, crossing.left_out, unfit)


def _combined(own: Profile, other: Profile, session: SessionSettings) -> Profile:
    name = other.model.name if other.model else _said(other, ("session", "model"))
    limits = own.run.limits.model_copy(update={"prices": other.run.limits.prices})
    changes: dict[str, Any] = {
        "endpoint": other.endpoint,
        "auth": other.auth,
        "model": ModelSettings(name=name) if name else None,
        "session": session,
        "run": own.run.model_copy(update={"limits": limits}),
    }
    return own.model_copy(update=changes)


def _broken(profile: Profile) -> Iterator[tuple[Problem, Key]]:
    """What of a profile its endpoint or its model is known to refuse."""
    tree = profile.model_dump(mode="json", exclude_unset=True)
    for key, problem, is_warning in broken_rules(profile, tree, (), {(): Layer("argument", tree, Path.cwd())}):
        if not is_warning:
            yield problem, key


def _elsewhere(own: Profile, other: Profile) -> Iterator[Unfit]:
    """What a session cannot go on with at another endpoint."""
    kinds = own.session.type, other.session.type
    if kinds[0] != kinds[1] and not set(kinds) <= TALKING:
        yield ("session", "type"), f"it runs a {kinds[1]} session, and this is a {kinds[0]} session", ""
    if _said(own, ("endpoint", "call_id")) or _said(other, ("endpoint", "call_id")):
        yield ("endpoint", "call_id"), "a call is at one endpoint only", ""


def _foreign_voice(own: Profile, other: Profile) -> str:
    """Why the other endpoint does not have our voice, nothing where it may."""
    voice = _said(own, _VOICE)
    if voice is None or (other.endpoint, other.auth) == (own.endpoint, own.auth):
        return ""
    if not isinstance(voice, str):
        return f"{voice.id} is a voice of another account"
    hosted = OpenAIEndpoint | AzureEndpoint
    is_foreign = isinstance(other.endpoint, hosted) and not isinstance(own.endpoint, hosted)
    if is_foreign and own.session.type == "realtime" and voice not in _HOSTED_VOICES:
        return f"{voice} is no voice of the Realtime API"
    return ""


def _said(value: Any, key: Key) -> Any:
    """What a profile says at a key, None where it says nothing."""
    for part in key:
        value = getattr(value, str(part), None)
    return value


def _with(table: Any, key: Key, value: Any) -> Any:
    """A table with another value at a key of it, where its tables are."""
    name, below = str(key[0]), key[1:]
    return table.model_copy(update={name: _with(getattr(table, name), below, value) if below else value})


def _without(table: Any, key: Key) -> Any:
    """A table as if nothing were said at a key of it."""
    name, below = str(key[0]), key[1:]
    if not isinstance(table, BaseModel):
        rest = {each: value for each, value in table.items() if each != name}
        return {**table, name: _without(table[name], below)} if below else rest
    if below:
        return table.model_copy(update={name: _without(getattr(table, name), below)})
    copied = table.model_copy(update={name: type(table).model_fields[name].get_default(call_default_factory=True)})
    copied.model_fields_set.discard(name)
    return copied
