"""Has an answer spoken and keeps it as a WAV file. `python docs/examples/voice_to_file.py answer.wav`."""

import sys
import wave

import anyio

from runner import AudioDelta, ResponseEnded, TextDelta, make_profile, open_session

RATE = 24_000
"""Samples a second of the API's PCM."""


async def main(path: str) -> None:
    """Ask a question, write the audio of the answer, and print its transcript."""
    profile = make_profile(endpoint={"kind": "local"}, session={"output_modalities": ["audio"]})
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        async with open_session(profile) as session:
            effects = session.effects()
            await session.say("Hello")
            async for effect in effects:
                match effect:
                    case AudioDelta():
                        file.writeframes(effect.decode())
                    case TextDelta(text=text):
                        print(text, end="", flush=True)
                    case ResponseEnded():
                        break
    print()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "answer.wav")
