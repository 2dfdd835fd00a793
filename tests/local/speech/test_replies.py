"""Rules answer, and always the same."""

import pytest

from runner.local.speech.replies import PromptSummary, Replies
from runner.settings.endpoint import ScriptedReply

SCRIPT = [
    ScriptedReply(match=r"my name is (?P<name>\w+)", reply=r"Hello, \g<name>!"),
    ScriptedReply(match="hello", reply="Hi."),
    ScriptedReply(match="broken", reply=r"no group \7"),
    ScriptedReply(match="silence", reply=""),
]


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (PromptSummary("Hello, My Name Is Ada"), "Hello, Ada!"),
        (PromptSummary("HELLO"), "Hi."),
        (PromptSummary("broken"), r"no group \7"),
        (PromptSummary("silence"), " "),
        (PromptSummary("Guten Tag"), "You said: Guten Tag"),
        (PromptSummary(audio_s=1.25), "I heard 1.2 s of audio."),
        (PromptSummary(images=2), "I was shown 2 images."),
        (PromptSummary("weather?", outputs=("sun", "rain")), "The function answered: rain"),
        (PromptSummary(), "Hello! I am the local endpoint of rt-run, and I answer by rules."),
    ],
)
def test_answers(prompt: PromptSummary, answer: str) -> None:
    """The first rule that fits answers."""
    assert Replies(SCRIPT).answer(prompt) == answer
