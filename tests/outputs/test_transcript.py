"""What a transcript shows of updates."""

import json
from collections.abc import Iterator
from typing import Any

from runner.outputs.transcript import MAX_TURNS, Transcript
from runner.protocol.effects import (
    AudioDelta,
    Effect,
    FunctionAnswered,
    Opened,
    Played,
    SessionEnded,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    Truncated,
    TurnEnded,
)
from runner.protocol.user_effects import AnswerInterrupted, KeyPressed, SegmentTranscribed, UserIdle
from runner.session.update import Update


def update(*effects: Effect, at_s: float = 0.0) -> Update:
    """An update that means this."""
    return Update({"type": "x"}, effects, at_s, 1)


def lines(text: str) -> list[dict[str, Any]]:
    """The lines of a transcript in JSON."""
    return [json.loads(line) for line in text.splitlines()]


ANSWER = (
    TextDelta("r", "a", "All of it"),
    AudioDelta("r", "a", "AAAA"),
    TurnEnded("assistant", "All of it", "a", "completed"),
)


def test_a_transcript_says_who_said_what_when() -> None:
    """One line a finished turn, with the time at which it was over."""
    (line,) = Transcript().render([update(TurnEnded("user", "Grüß dich", "i", "completed"))]).splitlines()

    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "role": "user",
        "text": "Grüß dich",
        "status": "completed",
        "item_id": "i",
    }
    assert "ü" in line


def test_a_spoken_turn_says_where_in_the_audio_it_was_and_how_sure_it_is() -> None:
    """The times are the endpoint's, in all audio that was sent."""
    turn = TurnEnded("user", "Hi", "u", "completed", ({"token": "Hi", "logprob": -0.1},))
    (line,) = lines(
        Transcript().render([update(SpeechStarted("u", 120, True)), update(SpeechStopped("u", 840)), update(turn)])
    )

    assert (line["start_ms"], line["end_ms"]) == (120, 840)
    assert line["logprobs"] == [{"token": "Hi", "logprob": -0.1}]


def test_an_answer_is_written_once_it_was_heard() -> None:
    """Its time is that of its end; where it is not played, it is written when it has come."""
    shown = Transcript(is_played=True)

    assert shown.render([update(*ANSWER)]) == ""
    (line,) = lines(shown.render([update(Played("a", 900, is_whole=True), at_s=1.5)]))
    assert (line["text"], line["status"], line["heard_ms"]) == ("All of it", "completed", 900)
    assert line["time"] == "1970-01-01T00:00:01.500+00:00"
    assert len(lines(Transcript().render([update(*ANSWER)]))) == 1


def test_an_interrupted_answer_has_the_words_that_were_heard() -> None:
    """Whether its end came before the interruption or after."""
    heard = (Played("a", 300, is_whole=False), Truncated("a", 300, "All"))
    before, after = Transcript(is_played=True), Transcript(is_played=True)
    texts = [
        before.render([update(*ANSWER), update(*heard)]),
        after.render([update(*ANSWER[:2]), update(*heard), update(Truncated("a", 300, "All of"), ANSWER[2])]),
    ]

    assert [(line["text"], line["status"], line["heard_ms"]) for text in texts for line in lines(text)] == [
        ("All", "interrupted", 300),
        ("All of", "interrupted", 300),
    ]


def test_turns_stand_in_the_order_in_which_they_began() -> None:
    """A question that is written down late stands before its answer; what follows an answer waits for it."""
    shown = Transcript(is_played=True)
    text = shown.render(
        [
            update(SpeechStarted("u", 0, True)),
            update(*ANSWER),
            update(TurnEnded("user", "next", "n", "completed")),
            update(TurnEnded("user", "question", "u", "completed")),
        ]
    )
    assert [line["text"] for line in lines(text)] == ["question"]
    text = shown.render([update(Played("a", 1, is_whole=True))])
    assert [line["text"] for line in lines(text)] == ["All of it", "next"]


def test_the_end_of_the_session_brings_what_still_waits() -> None:
    """An answer of which no `Played` came is written as it came."""
    shown = Transcript(is_played=True)
    shown.render([update(*ANSWER)])

    (line,) = lines(shown.render([Update(None, (SessionEnded(),), 0.0, 0)]))
    assert line["text"] == "All of it"
    assert shown.render([Update(None, (SessionEnded(),), 0.0, 0)]) == ""


def test_turns_that_never_end_are_not_remembered_for_ever() -> None:
    """A spoken turn without a transcription, and an answer that is never heard: both make room."""
    shown = Transcript(is_played=True)
    shown.render([update(*ANSWER)])
    text = shown.render([update(SpeechStarted(str(number), 0, True)) for number in range(3 * MAX_TURNS)])

    assert [line["text"] for line in lines(text)] == ["All of it"]
    assert len(shown._turns) <= MAX_TURNS


def test_people_read_markdown() -> None:
    """A paragraph a turn, with who, when, and what went wrong."""
    shown = Transcript(markdown=True, is_played=True)
    text = shown.render(
        [
            update(TurnEnded("user", "Say\nsomething", "u", "completed")),
            update(*ANSWER),
            update(Played("a", 300, is_whole=False), Truncated("a", 300, "All"), at_s=3661.0),
            update(TurnEnded("assistant", "Half", "h", "incomplete"), at_s=7200.0),
        ]
    )

    assert text == (
        "**User** `00:00:00`: Say something\n\n"
        "**Assistant** `01:01:01`: All *(interrupted)*\n\n"
        "**Assistant** `02:00:00`: Half *(incomplete)*\n\n"
    )


def test_half_a_character_is_an_escape() -> None:
    """Some endpoints cut a character in two; the line stays JSON."""
    (line,) = lines(Transcript().render([update(TurnEnded("user", "a\ud83d", "u", "completed"))]))

    assert line["text"] == "a\ud83d"


def test_turns_that_nobody_ends_cost_nothing() -> None:
    """Speech of a session that writes nothing down: no later piece looks at it, and it is forgotten in time."""

    class Counted(Transcript):
        """Counts how often the turns are looked at."""

        looks = 0

        def _written(self, *, everything: bool = False) -> Iterator[str]:
            self.looks += 1
            return super()._written(everything=everything)

    transcript = Counted()
    transcript.render([update(SpeechStarted(f"u{number}", 0, True)) for number in range(MAX_TURNS)])
    transcript.render([update(TextDelta("r", "u1", "x"))] * 1000)

    assert transcript.looks == 0
    assert [each["text"] for each in lines(transcript.render([update(ANSWER[2])]))] == ["All of it"]
    transcript.render([update(SpeechStarted(f"v{number}", 0, True)) for number in range(MAX_TURNS)])
    assert len(transcript._turns) == MAX_TURNS


def test_log_probabilities_that_are_no_numbers_are_null() -> None:
    """Every line is JSON."""
    turn = TurnEnded("user", "Hi", "u", "completed", ({"token": "\ud800", "logprob": float("-inf")},))
    (line,) = lines(Transcript().render([update(turn)]))

    assert line["logprobs"] == [{"token": "\ud800", "logprob": None}]


def test_two_turns_with_one_id_are_two() -> None:
    """Some servers have one name for all items; nothing that was said is left out."""
    transcript = Transcript(is_played=True)
    again = TurnEnded("assistant", "More", "a", "completed")
    text = transcript.render([update(*ANSWER), update(AudioDelta("r", "a", "AAAA"), again), update(SessionEnded())])

    assert [each["text"] for each in lines(text)] == ["All of it", "More"]


def test_what_else_is_known_of_a_turn_is_written_too() -> None:
    """Who spoke in which language, keys and silence of the user, and what of an answer is a preamble."""
    said = [
        update(SegmentTranscribed("u", "Hi.", "A", 0.0, 0.5), SegmentTranscribed("u", "Hello.", "B", 0.5, 1.0)),
        update(TurnEnded("user", "Hi. Hello.", "u", "completed", languages=("en", "de"))),
        update(SegmentTranscribed("v", "Bye.", "B", 1.0, 1.5), TurnEnded("user", "Bye.", "v", "completed")),
        update(KeyPressed("5"), KeyPressed("#")),
        update(UserIdle("w", 6000)),
        update(TurnEnded("assistant", "One moment.", "a", "completed", phase="commentary")),
    ]
    two, one, five, hash_key, idle, preamble = lines(Transcript().render(said))
    paragraphs = [each.partition("`: ") for each in Transcript(markdown=True).render(said).split("\n\n")]

    assert two["languages"] == ["en", "de"]
    assert [(each["speaker"], each["text"]) for each in two["segments"]] == [("A", "Hi."), ("B", "Hello.")]
    assert one["segments"] == [{"speaker": "B", "text": "Bye.", "start_s": 1.0, "end_s": 1.5}]
    assert [(each["role"], each["text"], each["key"]) for each in (five, hash_key)] == [
        ("user", "[key 5]", "5"),
        ("user", "[key #]", "#"),
    ]
    assert (idle["text"], idle["silent_ms"], preamble["phase"]) == ("[silence]", 6000, "commentary")
    assert [(who.split(" `")[0], text) for who, _, text in paragraphs[:-1]] == [
        ("**User**", "A: Hi. B: Hello."),
        ("**User B**", "Bye."),
        ("**User**", "[key 5]"),
        ("**User**", "[key #]"),
        ("**User**", "[silence]"),
        ("**Assistant**", "One moment. *(preamble)*"),
    ]


def test_a_call_of_a_function_stands_where_it_was_answered() -> None:
    """With its arguments and what came of it, for machines and for people."""
    good = FunctionAnswered("c1", "order", '{"n":7}', "shipped", "ok", 0.25, "o1")
    bad = FunctionAnswered("c2", "pay", "{}", "The call was\ndenied.", "denied", 60.0, "o2")

    first, second = lines(Transcript().render([update(good), update(bad)]))
    assert (first["role"], first["name"], first["arguments"], first["text"]) == ("tool", "order", '{"n":7}', "shipped")
    assert (first["status"], first["call_id"], first["duration_s"], second["status"]) == ("ok", "c1", 0.25, "denied")
    assert Transcript(markdown=True).render([update(good), update(bad)]) == (
        '**Tool** `00:00:00`: order({"n":7}) → shipped\n\n'
        "**Tool** `00:00:00`: pay({}) → The call was denied. *(denied)*\n\n"
    )


def test_an_answer_of_a_live_session_waits_for_what_is_said_next() -> None:
    """Only that tells whether it was interrupted; how much has sounded counts, and not the silence behind it."""
    transcript = Transcript(is_played=True)
    ended = update(Opened("live_1", 0, "live"), *ANSWER)
    assert not transcript.render([ended, update(Played("a", 2000, is_whole=True))])

    begun = update(SpeechStarted("u", 700, interrupts=False), AnswerInterrupted("a", 900))
    (line,) = lines(transcript.render([begun]))
    assert (line["text"], line["status"], line["heard_ms"]) == ("All of it", "interrupted", 900)
    last = [update(TurnEnded("user", "Hm", "u", "completed")), update(TurnEnded("assistant", "Yes.", "b", "completed"))]
    assert [each["text"] for each in lines(transcript.render(last))] == ["Hm"]
    (line,) = lines(transcript.render([update(SessionEnded())]))
    assert (line["text"], line["status"]) == ("Yes.", "completed")
