"""Ends at bad moments, and credentials that change: nothing is left behind, and nothing waits for ever."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.http11 import Request, Response

from runner.errors import AccessRefused, IllegalEvent, RunnerError
from tests.helpers.endpoint_scripts import asked, attentive, half, logged, reached, session_with
from tests.helpers.peer import Peer, refusal

pytestmark = pytest.mark.anyio

PROMPT_S = 20
"""A bound on every end: the farewells of two connections, on a very busy machine."""


async def mute(peer: Peer) -> None:
    """Accept the handshake and say nothing."""
    await peer.to_the_end()


@pytest.mark.parametrize("delay_s", [0.01, 3600])
@pytest.mark.parametrize("end", ["close", "abort", "cancel"])
async def test_a_session_ends_promptly_between_two_connections(end: str, delay_s: float) -> None:
    """While the next one is waited for, or is being opened."""
    reconnect = {"initial_delay_s": delay_s, "max_delay_s": 3600}
    async with session_with(half, mute, reconnect=reconnect) as (session, _, _):
        await session.say("Hello?")
        while session.link is not None:
            await session.changes.next()
        await anyio.sleep(0.1)
        with anyio.fail_after(PROMPT_S):
            if end != "cancel":
                await (session.aclose() if end == "close" else session.abort())
                with pytest.raises(IllegalEvent):
                    await session.say("Still there?")
            else:
                with anyio.move_on_after(0.1):
                    await session.say("Still there?")
        leaving_s = anyio.current_time()
    assert anyio.current_time() - leaving_s < PROMPT_S


async def test_opening_can_be_cancelled_in_its_back_off() -> None:
    """A caller's time limit holds."""
    started_s = anyio.current_time()
    with anyio.move_on_after(0.3) as scope:
        async with session_with(
            attentive, door=lambda _request: refusal(503, Retry_After="600"), reconnect={"max_attempts": 9}
        ):
            pass
    assert scope.cancelled_caught
    assert anyio.current_time() - started_s < PROMPT_S


async def test_a_session_that_closes_while_it_moves_closes_both_connections() -> None:
    """The one that serves and the one that was to follow."""

    async def endless(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("and so ", end=False)
        await peer.to_the_end()

    async with session_with(endless, attentive, rollover={"max_age_s": 4.0}) as (session, peers, lines):
        await session.say("Hello?")
        await reached(lambda: len(logged(lines, "connection_opened")) == 2)
        with anyio.fail_after(PROMPT_S):
            await session.aclose()
    assert [peer.close_code for peer in peers] == [1000, 1000]


def keys(folder: Path, *, constant: bool = False) -> dict[str, Any]:
    """The settings of a key that is another one each time it is fetched."""
    count = folder / "count"
    count.write_text("0")
    program = 'n=$(($(cat "$0") + 1)); echo $n >"$0"; echo key-number-$n'
    program = "echo key-number-1" if constant else program
    return {"kind": "api-key", "api_key": {"command": ["sh", "-c", program, str(count)]}}


async def test_a_refused_key_is_fetched_anew_once(tmp_path: Path) -> None:
    """A key that has changed since is found without a back-off; one that has not ends the session."""
    seen: list[str] = []

    def door(request: Request) -> Response | None:
        seen.append(request.headers["Authorization"])
        return None if seen[-1] == "Bearer key-number-2" else refusal(401)

    async with session_with(attentive, door=door, auth=keys(tmp_path)) as (session, _, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert len(logged(lines, "credential_refreshed")) == 1
        assert not logged(lines, "connection_failed")

    seen.clear()
    with pytest.raises(AccessRefused):
        async with session_with(attentive, door=door, auth=keys(tmp_path, constant=True)):
            pass
    assert len(seen) == 1


async def test_every_connection_takes_a_fresh_key(tmp_path: Path) -> None:
    """Twenty losses in a row with a key that serves one connection each."""
    used: set[str] = set()

    def door(request: Request) -> Response | None:
        key = request.headers["Authorization"]
        if key in used:
            return refusal(401)
        used.add(key)
        return None

    async def brief(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)

    reconnect = {"max_attempts": 30}
    scripts = [brief] * 20
    async with session_with(
        *scripts, attentive, door=door, auth=keys(tmp_path), reconnect=reconnect, max_response_retries=100
    ) as (session, peers, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert len(peers) == 21
        assert not logged(lines, "connection_failed")
        assert session.first_unanswered is None


@pytest.mark.parametrize("how", ["close", "error", "response"])
async def test_no_error_that_a_program_catches_holds_the_key(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that echoes it is redacted where the error is made, not only where it is logged."""
    key = "sk-made-up-0123456789"
    monkeypatch.setenv("ECHOED_KEY", key)
    failed = {"type": "server_error", "code": f"no {key}", "message": f"incorrect key: {key}"}

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        if how == "close":
            await peer.close(4401, f"incorrect key: {key}")
        elif how == "error":
            await peer.send({"type": "error", "error": {**failed, "code": "invalid_api_key"}})
        else:
            done = {"id": "r", "status": "failed", "status_details": {"type": "failed", "error": failed}, "output": []}
            await peer.send({"type": "response.created", "response": {"id": "r"}})
            await peer.send({"type": "response.done", "response": done})
        await peer.to_the_end()

    auth = {"kind": "api-key", "api_key": {"env": "ECHOED_KEY"}}
    async with session_with(script, auth=auth, max_response_retries=0) as (session, _, _):
        with pytest.raises(RunnerError) as caught:
            await session.ask("Hello?")

    told = f"{caught.value!r} {caught.value.hint} {caught.value.code} {caught.value.__cause__!r}"
    assert "incorrect key: [hidden]" in told
    assert key not in told
