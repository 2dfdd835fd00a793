"""Whether there is anything here that could drive an audio device."""

import pytest


def need_portaudio() -> None:
    """Skip a test where PortAudio or its Python module is not installed."""
    try:
        import sounddevice  # noqa: F401  # that it can be imported is all
    except (ImportError, OSError) as error:
        pytest.skip(f"PortAudio cannot be used: {error}")
