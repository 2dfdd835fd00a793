"""Rules answer, and always the same."""

import pytest

from runner.local.speech.replies import BrainAnswer, Call, Offer, PromptSummary, Replies
from runner.settings.script import ScriptedReply

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
        (PromptSummary("weather?", outputs=("rain",)), "The function answered: rain"),
        (PromptSummary(), "Hello! I am the local endpoint of rt-run, and I answer by rules."),
    ],
)
def test_answers(prompt: PromptSummary, answer: str) -> None:
    """The first rule that fits answers."""
    assert Replies(SCRIPT).answer(prompt) == BrainAnswer(answer)


CALLING = [
    ScriptedReply.model_validate(row)
    for row in (
        {
            "match": r"compare (\w+) and (\w+)",
            "reply": "One moment.",
            "calls": [
                {"name": "price", "arguments": {"of": r"\1", "in": ["EUR", r"\2"]}},
                {"name": "no_such_function", "arguments": "{no JSON"},
            ],
        },
        {"output": "^42$", "calls": [{"name": "explain"}]},
        {"output": "because (.+)", "reply": r"It is \1."},
        {"instructions": "look(ing)? it up", "reply": "A moment."},
    )
]
QUESTION = "Compare apples and pears"
SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "unit": {"enum": ["c", "f"]},
        "count": {"type": ["integer", "null"]},
        "where": {"properties": {"city": {"const": "Bern"}}, "required": ["city"]},
    },
    "required": ["query", "unit", "count", "where", "undescribed"],
}
LOOK = {"look": {"parameters": SCHEMA}}
SAMPLE = '{"query":"Hi","unit":"c","count":1,"where":{"city":"Bern"},"undescribed":null}'


@pytest.mark.parametrize(
    ("prompt", "offer", "answer"),
    [
        (
            PromptSummary(QUESTION),
            Offer(),
            BrainAnswer(
                "One moment.",
                (Call("price", '{"of":"apples","in":["EUR","pears"]}'), Call("no_such_function", "{no JSON")),
            ),
        ),
        (PromptSummary(QUESTION), Offer(choice="none"), BrainAnswer("One moment.")),
        (PromptSummary(QUESTION, outputs=("42",)), Offer(), BrainAnswer("", (Call("explain", "{}"),))),
        (PromptSummary(QUESTION, outputs=("42",)), Offer(choice="none"), BrainAnswer("The function answered: 42")),
        (PromptSummary(QUESTION, outputs=("because so",)), Offer(), BrainAnswer("It is so.")),
        (PromptSummary(QUESTION, outputs=("1", "")), Offer(), BrainAnswer("The functions answered: 1; (nothing)")),
        (
            PromptSummary("Hi"),
            Offer(LOOK, "required"),
            BrainAnswer("", (Call("look", SAMPLE),)),
        ),
        (
            PromptSummary("Hi"),
            Offer({"a": {}, "b": {"parameters": {"required": 1}}}, "named", "b"),
            BrainAnswer("", (Call("b", "{}"),)),
        ),
    ],
)
def test_calls(prompt: PromptSummary, offer: Offer, answer: BrainAnswer) -> None:
    """Rows call functions, with the groups of the match in their arguments; what must be called is."""
    assert Replies(CALLING).answer(prompt, offer) == answer
