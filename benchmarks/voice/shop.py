"""A shop that is asked when it is open, and the tool that knows."""

from typing import Final

from benchmarks.voice.words import words

QUESTIONS: Final = (
    "When are you open tomorrow?",
    "Are you open on Saturday?",
    "When are you open today?",
)
HOURS: Final = {"today": ("nine", "five"), "tomorrow": ("nine", "five"), "saturday": ("ten", "two")}
"""When it opens and closes."""
TOOL: Final = {
    "name": "opening_hours",
    "description": "When the shop is open.",
    "parameters": {
        "type": "object",
        "properties": {"day": {"type": "string", "enum": [*HOURS]}},
        "required": ["day"],
    },
    "run": {"kind": "python", "function": "benchmarks.voice.shop:opening_hours"},
}
"""What a small model gets right: one function, and one word of three for it."""


def opening_hours(day: str) -> str:
    """When the shop is open on a day."""
    opens, closes = HOURS[day]
    return f"The shop opens at {opens} and closes at {closes}."


def is_told(output: str, answer: str) -> bool:
    """Whether an answer has the hours that the function has given."""
    hours = {each for both in HOURS.values() for each in both}
    return hours.intersection(words(output)) <= {*words(answer)}
