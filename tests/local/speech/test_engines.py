"""An endpoint has the ears, the mind and the voice that its settings ask for."""

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from runner.errors import ProfileError
from runner.local.server.app import LocalApp
from runner.local.speech.engines import Engines, engines_for
from runner.local.speech.interfaces import SpeechEngines
from runner.profile import load_profile
from runner.session.opening import open_session
from tests.helpers.local_client import Wire, dial, in_thread, listening, new_session, settings

CHAT = {"brain": {"kind": "chat", "base_url": "http://127.0.0.1:1/v1", "model": "small"}}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a module in the place of one that loads models."""

    def install(name: str, **content: Any) -> None:
        module = types.ModuleType(f"runner.local.speech.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.delattr(f"runner.local.speech.{name}", raising=False)

    return install


def missing() -> SpeechEngines:
    """What loading does without the extra."""
    raise ProfileError("speech models are not installed", hint="pip install 'rt-run[local]'")


def test_by_default_everything_is_simulated_and_says_so() -> None:
    """No model is loaded, nothing is slow, and `session.created` tells."""
    engines = engines_for(settings())

    assert engines.speech.simulated
    assert not engines.speech.is_slow
    assert engines.new_language_model is None
    assert Wire(new_session()).events[0]["session"]["instructions"] == engines.notice
    assert "simulated: answers come from rules" in engines.notice


def test_models_are_loaded_where_the_settings_ask_for_them(installed: Callable[..., None]) -> None:
    """Speech and brain each by themselves; what is still simulated is told."""
    base = engines_for(settings()).speech
    real = SpeechEngines(base.new_detector, base.transcriber, base.voice, is_slow=True, simulated=False)
    installed("speech_models", load=lambda: real)

    spoken = engines_for(settings(speech="models"))
    both = engines_for(settings(speech="models", **CHAT))

    assert spoken.speech.is_slow
    assert "Speech is understood and spoken by models" in spoken.notice
    assert "answers come from rules" in spoken.notice
    assert both.new_language_model
    assert "rules" not in both.notice


@pytest.mark.anyio
async def test_models_are_loaded_once(installed: Callable[..., None]) -> None:
    """By the first session, for all of them."""
    loads = []

    def load() -> SpeechEngines:
        loads.append(1)
        return engines_for(settings()).speech

    installed("speech_models", load=load)
    app = LocalApp(settings(speech="models"))
    assert not loads

    assert isinstance(await app.load(), Engines)
    async with listening(app) as port:

        def script() -> None:
            with dial(port), dial(port):
                pass

        await in_thread(script)
    assert len(loads) == 1


@pytest.mark.anyio
async def test_a_missing_extra_is_reported_with_what_to_do(installed: Callable[..., None]) -> None:
    """To rt-run's user as an error in the profile, to other clients in the refused handshake."""
    installed("speech_models", load=missing)
    profile = load_profile("local", sets=['endpoint.speech="models"']).profile
    with pytest.raises(ProfileError, match="speech models are not installed"):
        async with open_session(profile):
            pass

    async with listening(LocalApp(settings(speech="models"))) as port:

        def script() -> bytes:
            with pytest.raises(InvalidStatus) as caught:
                dial(port)
            assert caught.value.response.status_code == 500
            return bytes(caught.value.response.body or b"")

        assert b"pip install 'rt-run[local]'" in await in_thread(script)
