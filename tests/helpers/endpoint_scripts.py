"""What an endpoint does with a conversation, for scripts of a `Peer` that lose, refuse or end connections."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from runner.session.opening import open_session
from runner.session.pump import Reader
from runner.session.session import Session
from runner.settings.profile import Profile
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Door, Peer, Script, profile_for, serving

PATIENCE_S = 150
"""Longer than any of these tests takes on a busy machine; most need a fraction of a second."""


def in_turn(*scripts: Script) -> Script:
    """Each connection follows a script of its own; the last one serves all that come after it."""
    numbers = itertools.count()

    async def script(peer: Peer) -> None:
        await scripts[min(next(numbers), len(scripts) - 1)](peer)

    return script


async def confirm(peer: Peer, event: dict[str, Any], *, item_id: str = "") -> None:
    """Confirm what a client event does to the conversation or to the configuration."""
    match event:
        case {"type": "conversation.item.create", "item": item}:
            item = {**item, "id": item_id or item["id"], "status": "completed"}
            previous = event.get("previous_item_id")
            await peer.send({"type": "conversation.item.added", "previous_item_id": previous, "item": item})
            await peer.send({"type": "conversation.item.done", "previous_item_id": previous, "item": item})
        case {"type": "conversation.item.delete", "item_id": gone}:
            await peer.send({"type": "conversation.item.deleted", "item_id": gone})
        case {"type": "session.update", "session": session}:
            await peer.send({"type": "session.updated", "session": session})


async def asked(peer: Peer) -> dict[str, Any]:
    """Confirm what comes up to the next `response.create`, which is returned."""
    while (event := await peer.event()) is not None:
        if event["type"] == "response.create":
            return event
        await confirm(peer, event)
    raise AssertionError(f"nothing was asked, but {[each['type'] for each in peer.received]}")


async def attentive(peer: Peer) -> None:
    """Greet, confirm everything, and answer each question by its number on this connection."""
    await peer.greet()
    await answering(peer)


async def answering(peer: Peer) -> None:
    """Confirm everything, and answer each question by its number on this connection."""
    number = 0
    while (event := await peer.event()) is not None:
        if event["type"] == "response.create":
            number += 1
            await peer.answer(
                "answer ", str(number), response_id=f"resp_{id(peer)}_{number}", item_id=own(peer, number)
            )
        else:
            await confirm(peer, event)


def own(peer: Peer, number: int) -> str:
    """The id of an item that this connection makes."""
    return f"item_{id(peer)}_{number}"


async def half(peer: Peer) -> None:
    """Greet, begin an answer, and lose the connection in its middle."""
    await peer.greet()
    await asked(peer)
    await peer.answer("a half ", "answ", item_id=own(peer, 1), end=False)


def told(peer: Peer) -> list[tuple[str, str]]:
    """Role and text of each message that a connection was told of, in order."""
    items = [each["item"] for each in peer.received if each["type"] == "conversation.item.create"]
    return [(item["role"], item["content"][0]["text"]) for item in items if item["type"] == "message"]


def kinds(peer: Peer) -> list[str]:
    """The types of what a connection received, in order."""
    return [each["type"] for each in peer.received]


def conversation(session: Session) -> list[tuple[str, str]]:
    """Role and text of each item that the session knows of."""
    return [(item.role, item.text) for item in session.state.conversation.items]


def persistent(port: int, *, reconnect: dict[str, Any] | None = None, **run: Any) -> Profile:
    """A profile that connects again with hardly a delay."""
    tables = {name: run.pop(name) for name in ("session", "auth", "greeting", "idle", "delegate") if name in run}
    network = run.pop("network", {})
    delays = {"max_attempts": 5, "initial_delay_s": 0.01, "max_delay_s": 0.05, **(reconnect or {})}
    profile = profile_for(port, run={"max_response_retries": 2, **run, "reconnect": delays}, **tables)
    return profile.model_copy(update={"endpoint": profile.endpoint.model_copy(update=network)})


@asynccontextmanager
async def session_with(
    *scripts: Script, door: Door | None = None, readers: Sequence[Reader] = (), **run: Any
) -> AsyncIterator[tuple[Session, list[Peer], list[Any]]]:
    """A session with a scripted endpoint, its connections and its log lines; all of it within bounded time."""
    with captured_log() as lines, anyio.fail_after(PATIENCE_S):
        async with (
            serving(in_turn(*scripts), door=door) as (port, peers),
            open_session(persistent(port, **run), readers=readers) as session,
        ):
            yield session, peers, lines


async def reached(condition: Callable[[], object]) -> None:
    """Wait until something holds that nobody tells of."""
    while not condition():  # noqa: ASYNC110  # there is no event for it
        await anyio.sleep(0.01)


async def moved(session: Session, epoch: int) -> None:
    """Wait until a session is carried by this connection or a later one."""
    while session.link is None or session.link.epoch < epoch:
        await session.changes.next()


def logged(lines: list[Any], event: str) -> list[Any]:
    """The log lines of one event."""
    return [each for each in lines if each["event"] == event]
