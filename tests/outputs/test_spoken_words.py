"""The words of both sides of a spoken session, for somebody who reads along."""

import pytest

from runner.outputs.spoken_words import SpokenWords
from runner.protocol.effects import (
    AudioDelta,
    Effect,
    Opened,
    Played,
    ResponseEnded,
    SessionEnded,
    TextDelta,
    TranscriptDelta,
    TranscriptionEnded,
    TranscriptionStarted,
    Truncated,
    TurnEnded,
)
from runner.session.update import Update

ASKED: list[Effect] = [TranscriptionStarted("u"), TranscriptDelta("u", "What is"), TranscriptDelta("u", " it?")]
KNOWN: list[Effect] = [TurnEnded("user", "What is it?", "u", "completed"), TranscriptionEnded("u")]
SOUND: Effect = AudioDelta("r", "a", "")
ANSWER: list[Effect] = [SOUND, TextDelta("r", "a", "It is "), TextDelta("r", "a", "what it is.")]
DONE: list[Effect] = [TurnEnded("assistant", "It is what it is.", "a", "completed"), ResponseEnded("r", "completed")]
HEARD: Effect = Played("a", 900, is_whole=True)
CUT: list[Effect] = [Played("a", 400, is_whole=False), Truncated("a", 400, "It is what")]
WHOLE = "You: What is it?\nAssistant: It is what it is."


def render(*effects: Effect, is_played: bool = True) -> str:
    """What shows of these effects, each of an event of its own but for those of the playback."""
    lines = SpokenWords(is_played=is_played)
    internal = (Played, Truncated, SessionEnded)
    updates = [Update(None if isinstance(each, internal) else {}, [each], 0.0, 0) for each in effects]
    return "".join(lines.render([each]) for each in updates)


@pytest.mark.parametrize(
    ("effects", "shown"),
    [
        ([*ASKED, *KNOWN, *ANSWER, *DONE, HEARD], WHOLE + "\n"),
        ([*ASKED, *ANSWER[:2], *KNOWN, ANSWER[2], *DONE], WHOLE),
        ([*ASKED, *KNOWN, *ANSWER, *DONE, *CUT], WHOLE + ' (interrupted after "It is what")\n'),
        ([*ASKED, *KNOWN, *ANSWER, *CUT, *DONE], WHOLE + ' (interrupted after "It is what")\n'),
        ([ASKED[0], *ANSWER, *DONE, HEARD, *KNOWN], "Assistant: It is what it is.\nYou: What is it?\n"),
        ([ASKED[0], *KNOWN[1:], *ANSWER, *DONE, HEARD], "Assistant: It is what it is.\n"),
        ([ASKED[0], SOUND, *DONE, HEARD], "Assistant: It is what it is.\n"),
        ([*ANSWER, SessionEnded()], "Assistant: It is what it is.\n"),
        ([ANSWER[1], ResponseEnded("r", "cancelled")], "Assistant: It is  (interrupted)\n"),
        ([Opened("s", 0, "translation"), TextDelta("", "a", "Es ist.")], "Translation: Es ist."),
        ([TextDelta("r", "a", "\x1b[2Jred")], "Assistant: [2Jred"),
    ],
)
def test_each_side_has_lines_of_its_own_in_the_order_of_the_conversation(effects: list[Effect], shown: str) -> None:
    """Words come as they come; an answer ends when it was heard, and shows where it was interrupted."""
    assert render(*effects) == shown


def test_an_answer_that_nobody_plays_ends_with_its_words() -> None:
    """Nothing will say that it was heard."""
    assert render(*ANSWER, *DONE, is_played=False) == "Assistant: It is what it is.\n"
