"""An endpoint that means what it should and writes it as no other does: its events, and what they say."""

import base64
import random
from typing import Any

JsonEvent = dict[str, Any]

BETA = {
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
ODD: list[Any] = [None, True, -1, 0.5, 10.0, 1e18, 2**70, "", "odd", "2030-01-01T00:00:00Z", [], {}, [1], {"a": []}]
"""What may stand in a side field."""
SIDE_FIELDS = {
    "session.created": ("session.expires_at", "session.object", "event_id", "session.audio.input.format.rate"),
    "session.updated": ("session.expires_at", "session.model", "session.audio.output.format.rate"),
    "response.created": ("response.usage", "response.status_details", "response.status", "response.metadata"),
    "response.output_item.added": ("output_index", "item.status", "item.object", "item.name", "item.call_id"),
    "response.content_part.added": ("part", "content_index"),
    "response.output_item.done": ("output_index", "item.object", "item.name", "item.call_id", "item.phase"),
    "response.done": ("response.usage", "response.status_details", "response.metadata", "response.object"),
    "conversation.item.input_audio_transcription.completed": ("usage", "logprobs", "content_index"),
    "input_audio_buffer.speech_started": ("audio_start_ms",),
    "input_audio_buffer.speech_stopped": ("audio_end_ms",),
    "rate_limits.updated": ("rate_limits",),
}
USAGES: list[Any] = [
    {"input_tokens": 10.0, "output_tokens": "5"},
    {"input_tokens": 1, "input_token_details": [], "output_token_details": {"text_tokens": 1.5}},
    {"prompt_tokens": 3},
    "none",
    [],
]
LEVELS = ("item", "part", "done")


class OddEndpoint:
    """Makes the events of one session in a dialect of its own.

    Args:
        chance: Decides what the dialect is, and what is said.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.is_beta = chance.random() < 0.3
        self.is_spoken = chance.random() < 0.4
        self.has_numbers = chance.random() < 0.15
        """Whether ids are numbers."""
        self.pieces = chance.choice(["deltas", "deltas", "deltas", "snapshots", "none", "sentences"])
        """How words come before the end of the answer."""
        ends = [each for each in ("text", "part", "item", "response") if chance.random() < 0.5]
        self.ends = ends or [chance.choice(["text", "part", "item", "response"])]
        """Which events give the whole text."""
        if self.pieces == "snapshots" and "text" not in self.ends:
            self.ends.append("text")
        if self.pieces == "sentences":
            self.ends = ["text"]
        self.begins = [each for each in ("response", "item", "part") if chance.random() < 0.75]
        """Which events announce what follows."""
        self.names_item = chance.random() < 0.85
        self.has_one_name = chance.random() < 0.15
        """Whether every response and every item has the same id as the one before."""
        self.names_response = chance.random() < 0.85
        self.oddity = chance.choice([0.0, 0.2, 0.8])
        """How likely a side field is odd."""
        self.breaks = chance.random() < 0.1
        """Whether something that is said cannot be read."""
        self.is_broken = False
        self._number = 0

    def greeting(self) -> list[JsonEvent]:
        """The opening of the session and its configuration."""
        session: JsonEvent = {"type": "realtime", "id": self._id("sess"), "expires_at": 4_000_000_000.5}
        if self.is_beta and self.chance.random() < 0.5:
            session |= {"modalities": ["text"], "input_audio_format": "pcm16", "output_audio_format": "pcm16"}
        else:
            form = {"format": {"type": "audio/pcm", "rate": self.chance.choice([24_000, 24_000.0])}}
            session["audio"] = {"input": dict(form), "output": dict(form)}
        created: JsonEvent = {"type": "session.created", "session": session}
        if self.chance.random() < 0.1:
            created = {"type": "session.created", "id": "sess_bare"}
        return [self.odd(created), self.odd({"type": "session.updated", "session": session})]

    def words(self) -> list[str]:
        """The pieces of what is said, some of which repeat the one before."""
        said: list[str] = []
        for _ in range(self.chance.randrange(1, 8)):
            self._number += 1
            said += [f"w{self._number} "] * self.chance.choice([1, 1, 1, 2])
            said += self.chance.choice([[], [], ["no", "no"], ["ha", "haha"], [" "], ["a", "ab", "abc"]])
        return [*said, "."]

    def answer(self, words: list[str], audio: list[bytes]) -> list[JsonEvent]:
        """The events of one response that says this."""
        response_id, item_id, text = self._id("resp"), self._id("item"), "".join(words)
        where: JsonEvent = {"output_index": 0, "content_index": self.chance.choice([0, 0, 0, "0", -1, None])}
        # An endpoint that names nothing can have only one thing in mind.
        if self.names_item or self.is_spoken:
            where["item_id"] = item_id
        if self.names_response or not {"response"} & set(self.begins):
            where["response_id"] = response_id
        kind = "output_audio_transcript" if self.is_spoken else "output_text"
        key = "transcript" if self.is_spoken else "text"
        item: JsonEvent = {
            "id": item_id,
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        part = {"type": "audio", "transcript": text} if self.is_spoken else {"type": "text", "text": text}
        whole = {**item, "status": "completed", "content": [part]}
        response = {"id": response_id, "status": "in_progress", "output": []}
        events: list[JsonEvent] = []
        if "response" in self.begins:
            events.append({"type": "response.created", "response": response})
        if "item" in self.begins:
            events.append({"type": "response.output_item.added", "response_id": response_id, "item": item})
        if "part" in self.begins:
            events.append({"type": "response.content_part.added", **where, "part": {"type": part["type"]}})
        events += self._pieces(f"response.{kind}", key, where, words, audio)
        if "text" in self.ends and self.pieces != "sentences":
            events.append({"type": f"response.{kind}.done", **where, key: text})
        if "part" in self.ends:
            events.append({"type": "response.content_part.done", **where, "part": part})
        if "item" in self.ends:
            events.append({"type": "response.output_item.done", "response_id": response_id, "item": whole})
        done = {**response, "status": "completed", "output": [whole] if "response" in self.ends else []}
        events.append({"type": "response.done", "response": done})
        if self.breaks and not self.is_broken:
            self._break(events)
        return [self._named(self.odd(each)) for each in self._between(events)]

    def _pieces(self, kind: str, key: str, where: JsonEvent, words: list[str], audio: list[bytes]) -> list[JsonEvent]:
        """The events that bring words and audio before the end of an answer, the audio anywhere between the words."""
        pieces: list[JsonEvent] = []
        match self.pieces:
            case "deltas":
                pieces = [{"type": f"{kind}.delta", **where, "delta": each} for each in words]
            case "snapshots":
                seen = ["".join(words[: count + 1]) for count in range(len(words))]
                pieces = [{"type": f"{kind}.delta", **where, "delta": each} for each in seen]
            case "sentences":
                half = len(words) // 2
                sentences = filter(None, ("".join(words[:half]), "".join(words[half:])))
                pieces = [{"type": f"{kind}.done", **where, key: each} for each in sentences]
        places = sorted(self.chance.randrange(len(pieces) + 1) for _ in audio)
        for count, (place, data) in enumerate(zip(places, audio, strict=True)):
            sound = {"type": "response.output_audio.delta", **where, "delta": base64.b64encode(data).decode()}
            pieces.insert(place + count, sound)
        return pieces

    def odd(self, event: JsonEvent) -> JsonEvent:
        """The event with some of its side fields odd."""
        for path in SIDE_FIELDS.get(event["type"], ()):
            if self.chance.random() < self.oddity:
                *above, key = path.split(".")
                place: Any = event
                for name in above:
                    place = place.get(name) if isinstance(place, dict) else None
                if isinstance(place, dict):
                    place[key] = self.chance.choice(USAGES if key == "usage" else ODD)
        return event

    def _between(self, events: list[JsonEvent]) -> list[JsonEvent]:
        """The events with others between them that say nothing."""
        mixed: list[JsonEvent] = []
        for event in events:
            if self.chance.random() < 0.1:
                noise: list[JsonEvent] = [
                    {
                        "type": "rate_limits.updated",
                        "rate_limits": [{"name": "tokens", "limit": 10.0, "remaining": 9.0}],
                    },
                    {"type": "response.telepathy.delta", "delta": 5},
                    {"type": "conversation.created", "conversation": None},
                ]
                mixed.append(self.chance.choice(noise))
            mixed.append(event)
        return mixed

    def _break(self, events: list[JsonEvent]) -> None:
        """Make something unreadable that is said nowhere else."""
        saying = [each for each in events if each["type"].endswith((".delta", "text.done", "transcript.done"))]
        if saying:
            broken = self.chance.choice(saying)
            key = next(name for name in ("delta", "text", "transcript") if name in broken)
            broken[key] = self.chance.choice([5, [], {}, True])
            self.is_broken = True

    def _named(self, event: JsonEvent) -> JsonEvent:
        return {**event, "type": BETA.get(event["type"], event["type"])} if self.is_beta else event

    def _id(self, kind: str) -> Any:
        if self.has_one_name and "response" in self.begins:
            return f"{kind}_1"
        self._number += 1
        return self._number if self.has_numbers else f"{kind}_{self._number}"
