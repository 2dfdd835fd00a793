"""What it takes for a running session to go by the profile that its file holds by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from runner.profile.keys import Key, dotted, leaves
from runner.protocol.session_update import session_update
from runner.protocol.tool_place import with_tools

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.protocol.json_fields import JsonObject
    from runner.settings.profile import Profile

_AT_ONCE: Final[tuple[Key, ...]] = (
    ("version",),
    ("extends",),
    ("description",),
    ("variables",),
    ("logging",),
    ("run", "grace_s"),
    ("run", "on_drift"),
    ("run", "stall_timeout_s"),
    ("run", "max_response_retries"),
    ("run", "reconnect"),
    ("run", "rollover"),
    ("run", "history"),
    ("run", "limits"),
    ("run", "tools"),
    ("run", "fallback"),
    ("run", "fallback_after_s"),
    ("run", "fallback_cooldown_s"),
)
"""What takes effect at once."""
_BY_CONNECTION: Final[tuple[Key, ...]] = (("endpoint",), ("auth",), ("model",), ("session", "model"))
"""What another connection brings."""
_IN_PLACE: Final[tuple[Key, ...]] = (("session",), ("tools",), ("mcp_servers",))
"""What the API changes while the session runs, apart from the following, and what the model may call."""
_NAMED: Final = ("tools", "mcp_servers")
"""The arrays whose tables have names, by which their keys are told."""
_FIXED: Final[tuple[Key, ...]] = (("audio", "output", "voice"), ("tracing",))
"""What the API does not change in a session object once a connection goes by it: a voice after its first sound."""
_MERGED: Final[tuple[Key, ...]] = ((), ("audio",), ("audio", "input"), ("audio", "output"))
"""The objects of a session object that the API lays over each other; others it replaces as a whole."""


class ReloadPlan(NamedTuple):
    """What changes in one session."""

    update: JsonObject
    """The fields of the session object that change in place."""
    asked: JsonObject
    """The session object that the profile asks for."""
    moves: bool
    """Whether another connection has to take over."""
    dropped: Sequence[str]
    """The keys of the session object that somebody has changed in the meantime, and that the profile has otherwise."""


def changed_keys(old: Profile, new: Profile) -> list[Key]:
    """The keys in which two profiles differ; a tool and a server are named, and have no number.

    What follows is left out: the keys of a table that only one has, and those beside a `kind` that is another.
    """
    here, there = old.model_dump(mode="json"), new.model_dump(mode="json")
    keys: list[Key] = []
    for array in _NAMED:
        mine, theirs = ({each["name"]: each for each in tables.pop(array)} for tables in (here, there))
        for name in {**mine, **theirs}:
            if name in mine and name in theirs:
                keys += [(array, name, *key) for key in _changed(mine[name], theirs[name])]
            else:
                keys.append((array, name))
    return [*keys, *_changed(here, there)]


def restart_keys(keys: Sequence[Key]) -> list[str]:
    """The keys whose change takes a restart; where there are any, nothing else is done."""
    return [dotted(key) for key in keys if _takes_restart(key)]


def reload_plan(old: Profile, new: Profile, wanted: JsonObject, tools: Sequence[JsonObject] | None) -> ReloadPlan:
    """Plan the reload of one session, in which nothing takes a restart.

    Args:
        old: The profile that the session goes by.
        new: The profile that it is to go by.
        wanted: The session object that was asked for by now, whoever asked.
        tools: The tools that the new profile offers, as the session object takes them, where rt-run has run some or is
            to run some.
    """
    before, asked = session_update(old)["session"], session_update(new)["session"]
    is_by_connection = any(_is_below(key, _BY_CONNECTION) for key in changed_keys(old, new))
    # What carries the session may be a fallback, whose profile runs another kind of session now.
    is_by_connection |= old.session.type != new.session.type
    if new.session.type == "live":
        # Next to nothing of a Live session can be changed, and its history is no setting.
        asked = with_tools(asked, tools) if tools else asked
        asked.pop("input", None)
        return ReloadPlan({}, asked, moves=is_by_connection or asked != wanted, dropped=[])
    if tools is not None:
        before.pop("tools", None)
        asked.pop("tools", None)
        if "tools" in wanted:
            before["tools"] = wanted["tools"]
        if tools or "tools" in wanted:
            asked["tools"] = [*tools]
    update, needs_connection = _difference(wanted, asked)
    return ReloadPlan(
        update=update,
        asked=asked,
        moves=needs_connection or is_by_connection,
        dropped=[dotted(key) for key in _changed(before, wanted)],
    )


def _changed(old: object, new: object) -> Iterator[Key]:
    """The keys of the values that differ, or that only one has, without those that follow."""
    here, there = dict(leaves(old)), dict(leaves(new))
    keys = dict.fromkeys(key for key in {**here, **there} if here.get(key, here) != there.get(key, there))
    for key in keys:
        above = [key[:length] for length in range(len(key))]
        if not any(table in keys or ((*table, "kind") in keys and key != (*table, "kind")) for table in above):
            yield key


def _takes_restart(key: Key) -> bool:
    if key == ("session", "type"):
        return True
    return not (_is_below(key, _AT_ONCE) or _is_below(key, _BY_CONNECTION) or _is_below(key, _IN_PLACE))


def _is_below(key: Key, tables: tuple[Key, ...]) -> bool:
    return any(key[: len(each)] == each for each in tables)


def _difference(wanted: JsonObject, asked: JsonObject, place: Key = ()) -> tuple[JsonObject, bool]:
    """The fields that make one session object of another, and whether only another connection can.

    What a profile says no more is the server's default again, which no update can ask for.
    """
    update: JsonObject = {}
    needs_connection = any(name not in asked for name in wanted)
    for name, value in asked.items():
        here, before = (*place, name), wanted.get(name)
        if value == before:
            continue
        if here in _MERGED and isinstance(value, dict) and isinstance(before, dict):
            update[name], below = _difference(before, value, here)
            needs_connection = needs_connection or below
        else:
            update[name] = value
        needs_connection = needs_connection or here in _FIXED
    return update, needs_connection
