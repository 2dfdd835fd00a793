"""The rules by which the local endpoint answers without a model: a script, else an echo."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runner.settings.endpoint import ScriptedReply


@dataclass(frozen=True)
class PromptSummary:
    """What a response answers to, as far as the rules read it.

    Args:
        text: The user's words, typed or transcribed; "" for none.
        audio_s: The length of the user's audio, in seconds.
        images: How many images the user shows.
        outputs: The function outputs since the user's message, the latest last.
    """

    text: str = ""
    audio_s: float = 0.0
    images: int = 0
    outputs: tuple[str, ...] = ()


class Replies:
    """Answers by rules: the same prompt always gets the same answer."""

    def __init__(self, script: Sequence[ScriptedReply]) -> None:
        self._rules = [(re.compile(row.match, re.IGNORECASE), row.reply) for row in script]

    def scripted(self, prompt: PromptSummary) -> str | None:
        """The answer of the first row of the script that matches, never empty; None where no row does."""
        for pattern, reply in self._rules:
            found = pattern.search(prompt.text)
            if found and prompt.text:
                return _expand(found, reply) or " "
        return None

    def answer(self, prompt: PromptSummary) -> str:
        """The answer to a prompt, never empty."""
        if (reply := self.scripted(prompt)) is not None:
            return reply
        if prompt.outputs:
            return f"The function answered: {prompt.outputs[-1] or '(nothing)'}"
        if prompt.text.strip():
            return f"You said: {prompt.text}"
        if prompt.audio_s > 0:
            return f"I heard {prompt.audio_s:.1f} s of audio."
        if prompt.images:
            return f"I was shown {prompt.images} image{'s' if prompt.images > 1 else ''}."
        return "Hello! I am the local endpoint of rt-run, and I answer by rules."


def _expand(found: re.Match[str], reply: str) -> str:
    try:
        return found.expand(reply)
    except (re.error, IndexError):
        return reply
