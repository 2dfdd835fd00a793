"""Rules answer, and always the same."""

import pytest

from runner.local.speech.replies import Prompted, Replies
from runner.settings.endpoint import ScriptedReply

SCRIPT = [
    ScriptedReply(match=r"my name is (?P<name>\w+)", reply=r"Hello, \g<name>!"),
    ScriptedReply(match="hello", reply="Hi."),
    ScriptedReply(match="broken", reply=r"no group \7"),
    ScriptedReply(match="silence", reply=""),
]


@pytest.mark.parametrize(
    ("prompted", "answer"),
    [
        (Prompted("Hello, My Name Is Ada"), "Hello, Ada!"),
        (Prompted("HELLO"), "Hi."),
        (Prompted("broken"), r"no group \7"),
        (Prompted("silence"), " "),
        (Prompted("Guten Tag"), "You said: Guten Tag"),
        (Prompted(audio_s=1.25), "I heard 1.2 s of audio."),
        (Prompted(images=2), "I was shown 2 images."),
        (Prompted("weather?", outputs=("sun", "rain")), "The function answered: rain"),
        (Prompted(), "Hello! I am the local endpoint of rt-run, and I answer by rules."),
    ],
)
def test_answers(prompted: Prompted, answer: str) -> None:
    """The first rule that fits answers."""
    assert Replies(SCRIPT).answer(prompted) == answer
