"""A response out of band beside a normal turn, from the runner's session to the local endpoint and back."""

from typing import Any

import anyio
import pytest

from runner.protocol.effects import TurnEnded
from runner.session.opening import open_session
from runner.session.update import Update
from runner.settings.profile import Profile
from tests.helpers.endpoint_scripts import PATIENCE_S

PROFILE: dict[str, Any] = {
    "version": 1,
    "endpoint": {"kind": "local", "delta_interval_ms": 10},
    "model": {"name": "gpt-realtime-2"},
    "session": {"output_modalities": ["text"]},
}


@pytest.mark.anyio
@pytest.mark.parametrize("aside_first", [True, False])
async def test_an_aside_runs_beside_a_turn(aside_first: bool) -> None:
    """It blocks no question, is waited for at the end, and leaves nothing in the conversation."""
    updates: list[Update] = []
    content = [{"type": "input_text", "text": "a side remark of many words, which lasts longer than the turn itself"}]
    aside = {"conversation": "none", "input": [{"type": "message", "role": "user", "content": content}]}

    async with open_session(Profile.model_validate(PROFILE), readers=[updates.append]) as session:
        with anyio.fail_after(PATIENCE_S):
            if aside_first:
                await session.respond(**aside)
            await session.say("Hello")
            if not aside_first:
                await session.respond(**aside)
            await session.wait_answered()
            assert session.state.is_pending
            await session.wait_idle()
        assert not session.state.pending.out_of_band

    done = [each.event["response"] for each in updates if each.event and each.event["type"] == "response.done"]
    turns = [each for update in updates for each in update.effects if isinstance(each, TurnEnded)]
    assert [len(each["output"]) for each in done] == [1, 1]
    assert [(each.role, each.text) for each in turns] == [("user", "Hello"), ("assistant", "You said: Hello")]
    assert [each.role for each in session.state.conversation.items] == ["user", "assistant"]
