"""`python -m benchmarks.transcribing_script BASE_URL ROWS RESULTS CONCURRENCY`: what a batch is compared with.

The script that one writes by hand with openai-python: a session for each row, 200 ms of its recording an event, and a
line of results. It has neither retries nor budgets, and begins anew when it is killed.
"""

import asyncio
import base64
import json
import sys
import wave
from pathlib import Path
from typing import Any, TextIO

from openai import AsyncOpenAI

_PIECE_S = 0.2
_SESSION: Any = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "gpt-transcribe"},
            "turn_detection": None,
        }
    },
}


async def transcribed(client: AsyncOpenAI, path: Path) -> str:
    """The words of one recording."""
    async with client.realtime.connect(model="benchmark") as connection:
        await connection.session.update(session=_SESSION)
        async for event in connection:
            if event.type == "session.updated":
                break
        with wave.open(str(path)) as recording:
            while pcm := recording.readframes(round(recording.getframerate() * _PIECE_S)):
                await connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode())
        await connection.input_audio_buffer.commit()
        async for event in connection:
            if event.type == "conversation.item.input_audio_transcription.completed":
                return str(event.transcript)
    msg = f"{path}: no words came"
    raise RuntimeError(msg)


async def main(base_url: str, rows: list[dict[str, Any]], folder: Path, results: TextIO, concurrency: int) -> None:
    """Write down the recordings of these rows."""
    client = AsyncOpenAI(api_key="none", base_url=base_url)
    turns = asyncio.Semaphore(concurrency)

    async def run(row: dict[str, Any]) -> None:
        async with turns:
            text = await transcribed(client, folder / row["input"]["file"])
            results.write(json.dumps({"id": row["id"], "text": text}) + "\n")
            results.flush()

    async with asyncio.TaskGroup() as tasks:
        for row in rows:
            tasks.create_task(run(row))


if __name__ == "__main__":
    asked = [json.loads(line) for line in Path(sys.argv[2]).read_text().splitlines()]
    with Path(sys.argv[3]).open("a") as file:
        asyncio.run(main(sys.argv[1], asked, Path(sys.argv[2]).parent, file, int(sys.argv[4])))
