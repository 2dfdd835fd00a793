"""Names of the preview API that people still write, and what the current API calls them."""

from runner.profile.keys import Key

MOVED: dict[str, str] = {
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "speed": "audio.output.speed",
    "input_audio_format": "audio.input.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "output_audio_format": "audio.output.format",
    "max_response_output_tokens": "max_output_tokens",
}
"""For each flat field of the preview's session its place in the current one."""

EXAMPLES: dict[str, str] = {
    "input_audio_format": '{ type = "audio/pcm" }',
    "output_audio_format": '{ type = "audio/pcm" }',
    "modalities": '["text"] or ["audio"]',
}

GONE = "temperature"
"""The one field that has no successor."""


def successor(key: Key) -> str:
    """A hint at what replaces a field of the preview's session; empty where the field is none of them."""
    name = str(key[-1])
    if name not in MOVED:
        return ""
    example = f" = {EXAMPLES[name]}" if name in EXAMPLES else ""
    return f"write session.{MOVED[name]}{example}"
