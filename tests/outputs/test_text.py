"""What outputs show of updates."""

import json

from runner.errors import ProtocolError
from runner.outputs.text import AnswerLines, EventLines, TextLines
from runner.outputs.text_queue import MAX_STREAMS
from runner.protocol.effects import (
    Effect,
    Opened,
    ResponseEnded,
    TextDelta,
    TranscriptDelta,
    TranscriptionEnded,
    TranscriptionStarted,
    TurnEnded,
)
from runner.session.update import Update


def update(*effects: Effect) -> Update:
    """An update that means this."""
    return Update({"type": "x"}, effects, 0.0, 1)


def test_numbers_that_json_lacks_are_null_beside_half_a_character() -> None:
    """Every line is JSON, whatever the endpoint has sent."""
    event = {"type": "x", "nan": float("nan"), "inf": [float("inf")], "half": "\ud800"}
    line = EventLines().render([Update(event, [], 0.0, 1)])

    assert json.loads(line, parse_constant=lambda _: "no JSON") == {
        "type": "x",
        "nan": None,
        "inf": [None],
        "half": "\ud800",
    }


def test_an_answer_streams_and_ends_its_line() -> None:
    """Pieces come out as they come in; the end is a line break."""
    lines = TextLines(terminal=False)

    assert lines.render([update(TextDelta("r", "i", "Hel")), update(TextDelta("r", "i", "lo"))]) == "Hello"
    assert (
        lines.render([update(TurnEnded("assistant", "Hello", "i", "completed"), ResponseEnded("r", "completed"))])
        == "\n"
    )


def test_answers_do_not_mix() -> None:
    """What runs beside an answer is shown after it, whether it ended before or not."""
    lines = TextLines(terminal=False)
    shown = lines.render(
        [
            update(TextDelta("a", "1", "A")),
            update(TextDelta("b", "2", "B")),
            update(TextDelta("c", "3", "C")),
            update(ResponseEnded("b", "completed")),
            update(TextDelta("a", "1", "a")),
            update(ResponseEnded("a", "completed")),
            update(TextDelta("c", "3", "c")),
            update(ResponseEnded("c", "completed")),
        ]
    )

    assert shown == "Aa\nB\nCc\n"


def test_an_answer_that_did_not_stream_is_shown_whole() -> None:
    """Some servers send the text at the end only."""
    lines = TextLines(terminal=False)

    assert (
        lines.render([update(TurnEnded("assistant", "Hello", "i", "completed"), ResponseEnded("r", "completed"))])
        == "Hello\n"
    )
    assert lines.render([update(TurnEnded("user", "Hi", "u", "completed"))]) == ""


def test_the_end_of_the_session_ends_the_line() -> None:
    """A lost connection leaves no half line for the shell's prompt."""
    lines = TextLines(terminal=False)
    lines.render([update(TextDelta("r", "i", "Hel"))])

    assert lines.render([Update(None, (TurnEnded("assistant", "Hel", "i", "incomplete"),), 0.0, 0)]) == "\n"


def test_an_answer_cannot_rewrite_the_terminal() -> None:
    """Control characters are left out on a terminal, and kept for programs."""
    effects = update(TextDelta("r", "i", "a\x1b[2Jb\x9b1mc\td\n"))

    assert TextLines(terminal=True).render([effects]) == "a[2Jb1mc\td\n"
    assert TextLines(terminal=False).render([effects]) == "a\x1b[2Jb\x9b1mc\td\n"


def test_answers_of_many_sessions_come_whole() -> None:
    """Nothing of an answer shows before its end, which may be the session's; what users said never does."""
    lines = AnswerLines(terminal=True)

    assert lines.render([update(TextDelta("r", "i", "Hel"))]) == ""
    ends = [TurnEnded("user", "Hi", "u", "completed"), TurnEnded("assistant", "H\ud83d\udc4b\x1b[2J", "i", "completed")]
    assert lines.render([update(*ends, ResponseEnded("r", "completed"))]) == "H\N{WAVING HAND SIGN}[2J\n"
    assert lines.render([Update(None, (TurnEnded("assistant", "Hel", "j", "incomplete"),), 0.0, 0)]) == "Hel\n"


TRANSCRIBING = update(Opened("s", 0, "transcription"))


def test_what_is_written_down_streams_and_ends_its_line() -> None:
    """Pieces come out as they come in, and what did not stream comes at the end; nothing makes no line."""
    lines = TextLines(terminal=False)

    assert lines.render([TRANSCRIBING, update(TranscriptDelta("a", "Hel"))]) == "Hel"
    assert lines.render([update(TranscriptDelta("a", "lo"))]) == "lo"
    ends = update(TurnEnded("user", "Hello you", "a", "completed"), TranscriptionEnded("a"))
    assert lines.render([ends]) == " you\n"
    assert lines.render([update(TranscriptionStarted("b"), TranscriptionEnded("b"))]) == ""
    assert lines.render([update(TurnEnded("user", "Bye", "c", "completed"), TranscriptionEnded("c"))]) == "Bye\n"


def test_what_is_written_down_stands_in_the_order_in_which_it_was_said() -> None:
    """However its pieces come: an item waits for those before it, a failed one for none."""
    lines = TextLines(terminal=False)
    shown = lines.render(
        [
            TRANSCRIBING,
            *(update(TranscriptionStarted(item_id)) for item_id in "abcd"),
            update(TranscriptDelta("b", "B")),
            update(TranscriptDelta("a", "A")),
            update(TurnEnded("user", "Bb", "b", "completed"), TranscriptionEnded("b")),
            update(TurnEnded("user", "D", "d", "completed"), TranscriptionEnded("d")),
            update(TranscriptDelta("a", "a")),
        ]
    )

    assert shown == "Aa"
    assert lines.render([update(TurnEnded("user", "Aa", "a", "completed"), TranscriptionEnded("a"))]) == "\nBb\n"
    assert lines.render([update(TranscriptionEnded("c", ProtocolError("no")))]) == "D\n"


def test_what_was_not_yet_to_be_shown_is_shown_at_the_end() -> None:
    """No word is lost because one before it never came."""
    lines = TextLines(terminal=False)
    whole = update(TurnEnded("user", "B", "b", "completed"), TranscriptionEnded("b"))

    assert lines.render([TRANSCRIBING, update(TranscriptionStarted("a")), whole]) == ""
    assert lines.render([Update(None, (), 0.0, 0)]) == "B\n"


def test_many_transcriptions_come_whole() -> None:
    """As answers do, and in the order in which they were said."""
    lines = AnswerLines(terminal=False)
    started = update(TranscriptionStarted("a"), TranscriptionStarted("b"), TranscriptDelta("b", "B"))
    later = update(TurnEnded("user", "B", "b", "completed"), TranscriptionEnded("b"))

    assert lines.render([TRANSCRIBING, started, later]) == ""
    assert lines.render([update(TurnEnded("user", "A", "a", "completed"), TranscriptionEnded("a"))]) == "A\nB\n"


def test_a_conversation_shows_nothing_of_what_the_user_says() -> None:
    """Standard output has the answers only."""
    heard = update(TranscriptionStarted("u"), TranscriptDelta("u", "Hi"), TurnEnded("user", "Hi", "u", "completed"))
    ends = update(TranscriptionEnded("u"))

    assert TextLines(terminal=False).render([update(Opened("s", 0)), heard, ends]) == ""
    assert AnswerLines(terminal=False).render([update(Opened("s", 0)), heard, ends]) == ""


def test_each_stretch_of_a_translation_has_a_line() -> None:
    """It has no responses, so the end of the turn ends the line; the words of two connections do not mix."""
    lines = TextLines(terminal=False)
    shown = lines.render(
        [
            update(Opened("s", 0, "translation"), TranscriptDelta("u", "Good day")),
            update(TextDelta("", "a", "Guten ")),
            update(TextDelta("", "b", "Und")),
            update(TextDelta("", "a", "Tag")),
            update(TurnEnded("assistant", "Guten Tag", "a", "completed")),
        ]
    )

    assert shown == "Guten Tag\nUnd"
    assert lines.render([Update(None, (), 0.0, 0)]) == "\n"


def test_events_are_one_line_each() -> None:
    """Line breaks inside an event do not break the format."""
    event = {"type": "x", "text": "a\nb\u2028ü"}

    shown = EventLines().render([Update(event, (), 0.0, 1), Update(None, (), 0.0, 0)])

    assert shown.count("\n") == 1
    assert json.loads(shown) == event


def test_lines_of_many_sessions_say_whose_they_are() -> None:
    """Every line of an answer does, and the name of a profile cannot rewrite the screen or forge a line."""
    ended = update(TurnEnded("assistant", "one\ntwo", "i", "completed"))

    assert AnswerLines(terminal=False, title="a-2").render([ended]) == "a-2 | one\na-2 | two\n"
    assert AnswerLines(terminal=True, title="x\x1b[2J\ny").render([ended]) == "x [2J y | one\nx [2J y | two\n"


def test_events_of_many_sessions_say_whose_they_are() -> None:
    """Their keys come first; an event stays the object that it is."""
    lines = EventLines({"profile": "a", "run_id": "r"})
    event = Update({"type": "session.created", "session": {"id": "s"}}, (), 0.0, 1)

    assert [json.loads(line) for line in lines.render([event, event]).splitlines()] == [
        {"profile": "a", "run_id": "r", "type": "session.created", "session": {"id": "s"}}
    ] * 2


def test_texts_that_never_end_are_bounded() -> None:
    """The oldest counts as over when there are too many, or too much waits for it; nothing is left out."""
    lines = TextLines(terminal=False)
    shown = lines.render([update(TextDelta(f"r{number}", f"i{number}", f"{number} ")) for number in range(3000)])
    assert shown.splitlines() == [f"{number} " for number in range(3000 - MAX_STREAMS + 1)]

    lines = TextLines(terminal=False)
    shown = lines.render([update(TextDelta("a", "a", "A"))])
    shown += lines.render([update(TextDelta("b", "b", "x" * 1_000_000)) for _ in range(10)])
    assert shown == "A\n" + "x" * 10_000_000


def test_speech_that_is_never_written_down_keeps_no_memory_of_its_places() -> None:
    """Only so many transcripts keep their place."""
    lines = TextLines(terminal=False)
    lines.render([update(Opened("s", 0, "transcription"))])
    lines.render([update(TranscriptionStarted(f"i{number}")) for number in range(3000)])

    assert lines.render([update(TurnEnded("user", "late", "i1", "completed"))]) == ""
    assert lines.render([Update(None, [], 0.0, 0)]) == "late\n"
