"""Tokens, seconds and money."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.protocol.side_fields import SideFields
from runner.protocol.usage import Usage
from runner.settings.prices import Prices

FULL = {
    "total_tokens": 150,
    "input_tokens": 100,
    "output_tokens": 50,
    "input_token_details": {
        "text_tokens": 60,
        "audio_tokens": 30,
        "image_tokens": 10,
        "cached_tokens": 27,
        "cached_tokens_details": {"text_tokens": 15, "audio_tokens": 8, "image_tokens": 4},
    },
    "output_token_details": {"text_tokens": 20, "audio_tokens": 30},
}
TOKENS = {
    "type": "tokens",
    "total_tokens": 27,
    "input_tokens": 22,
    "output_tokens": 5,
    "input_token_details": {"text_tokens": 2, "audio_tokens": 20},
}


def used(*responses: dict[str, Any], transcriptions: tuple[dict[str, Any], ...] = ()) -> Usage:
    """What these responses and transcriptions used."""
    usage = Usage()
    for each in responses:
        usage.add(each, SideFields())
    for each in transcriptions:
        usage.add_transcription(each, SideFields())
    return usage


def test_all_that_the_api_reports_is_added_up() -> None:
    """By direction and modality, cached or not; the log says what was used at all."""
    usage = used(FULL, FULL, transcriptions=(TOKENS, {"type": "duration", "seconds": 1.5}))

    assert usage.as_log() == {
        "input_tokens": 200,
        "output_tokens": 100,
        "cached_tokens": 54,
        "input_text_tokens": 120,
        "input_audio_tokens": 60,
        "input_image_tokens": 20,
        "cached_text_tokens": 30,
        "cached_audio_tokens": 16,
        "cached_image_tokens": 8,
        "output_text_tokens": 40,
        "output_audio_tokens": 60,
        "transcription_input_tokens": 22,
        "transcription_audio_tokens": 20,
        "transcription_output_tokens": 5,
        "transcription_s": 1.5,
    }
    assert usage.audio_tokens == 140
    assert Usage().as_log() == {}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, {}),
        ({"input_tokens": 7, "output_tokens": 3}, {"input_text_tokens": 7, "output_text_tokens": 3}),
        ({"input_token_details": {"audio_tokens": 4}}, {"input_tokens": 4, "input_audio_tokens": 4}),
        (
            {"input_tokens": 9, "input_token_details": {"cached_tokens": 5, "text_tokens": 9}},
            {"cached_tokens": 5, "cached_text_tokens": 5},
        ),
        (
            {"input_token_details": {"cached_tokens": 9, "text_tokens": 2, "audio_tokens": 6, "image_tokens": 8}},
            {"cached_text_tokens": 2, "cached_audio_tokens": 6, "cached_image_tokens": 1},
        ),
    ],
)
def test_what_has_no_details_counts_as_text(usage: dict[str, Any], expected: dict[str, int]) -> None:
    """As far as there is any: nothing that is paid for goes missing."""
    log = used(usage).as_log()

    assert {**log, **expected} == log


def test_a_transcription_without_details_is_audio() -> None:
    """It hardly reads anything else."""
    usage = used(transcriptions=({"type": "tokens", "input_tokens": 8, "output_tokens": 1, "total_tokens": 9},))

    assert usage.audio_tokens == 8


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ({**FULL, "output_tokens": -1}, {}),
        ({**FULL, "output_tokens": 1 << 63}, {}),
        ({**FULL, "input_tokens": "100"}, {}),
        ({**FULL, "output_tokens": 50.5}, {}),
        ({**FULL, "input_token_details": []}, {"input_text_tokens": 100, "input_audio_tokens": 0}),
        ({**FULL, "output_token_details": {"text_tokens": 20, "audio_tokens": "30"}}, {"output_audio_tokens": 0}),
    ],
)
def test_what_cannot_be_read_of_a_usage_counts_as_absent(bad: dict[str, Any], expected: dict[str, int]) -> None:
    """The rest is added up, and the field is reported."""
    usage, side = Usage(), SideFields()
    usage.add(bad, side)

    assert {name: getattr(usage, name) for name in expected} == expected
    assert (usage.input_tokens, usage.output_tokens) == (100, 50)
    assert len(side.report("response.done")) == 1


def test_numbers_that_are_whole_are_whole() -> None:
    """JSON knows no whole numbers: 100.0 is 100."""
    usage = used(
        {**FULL, "input_tokens": 100.0, "output_tokens": 5e1}, transcriptions=({**TOKENS, "input_tokens": 22.0},)
    )

    assert (usage.input_tokens, usage.output_tokens, usage.transcription_input_tokens) == (100, 50, 22)
    assert all(type(amount) is int for amount in usage.as_log().values())


@pytest.mark.parametrize("value", [-0.1, "1", True, float("nan"), float("inf"), 1 << 63, [], {}])
def test_seconds_that_cannot_be_read_are_none(value: Any) -> None:
    """A transcription is counted by what can be read."""
    usage, side = Usage(), SideFields()
    usage.add_transcription({**TOKENS, "seconds": value}, side)

    assert (usage.transcription_s, usage.transcription_input_tokens) == (0, 22)
    assert len(side.report("x")) == 1


@pytest.mark.parametrize(
    ("price", "cost"),
    [
        ("input_text", 45),
        ("input_audio", 22),
        ("input_image", 6),
        ("cached_text", 15),
        ("cached_audio", 8),
        ("cached_image", 4),
        ("output_text", 20),
        ("output_audio", 30),
        ("transcription_input", 22),
        ("transcription_output", 5),
        ("transcription_minute", 1.5),
    ],
)
def test_each_price_is_charged_for_what_it_names(price: str, cost: float) -> None:
    """At a million a million tokens a token costs one; what was cached is charged once, at its own price."""
    usage = used(FULL, transcriptions=(TOKENS, {"type": "duration", "seconds": 90}))
    each = 1.0 if price == "transcription_minute" else 1e6

    assert usage.cost(Prices(**{price: each})) == pytest.approx(cost)


def test_without_prices_everything_is_free() -> None:
    """What is not named costs nothing."""
    assert used(FULL, transcriptions=(TOKENS,)).cost(Prices()) == 0


COUNTS = st.integers(0, 10_000)
RESPONSES = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": COUNTS,
        "output_tokens": COUNTS,
        "input_token_details": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("text_tokens", "audio_tokens", "image_tokens", "cached_tokens"), COUNTS)
        ),
        "output_token_details": st.fixed_dictionaries({}, optional={"text_tokens": COUNTS, "audio_tokens": COUNTS}),
    },
)


@given(st.lists(RESPONSES, max_size=4))
def test_a_flat_price_charges_every_token_once(responses: list[dict[str, Any]]) -> None:
    """Whatever is cached is a part of the input, so with one price for all the cost is that of all modalities."""
    usage = used(*responses)
    tokens = usage.input_text_tokens + usage.input_audio_tokens + usage.input_image_tokens
    tokens += usage.output_text_tokens + usage.output_audio_tokens

    assert usage.cost(Prices(**dict.fromkeys(Prices.model_fields, 1e6))) == pytest.approx(tokens)


@given(st.lists(RESPONSES, min_size=1, max_size=4))
def test_a_session_costs_no_less_for_going_on(responses: list[dict[str, Any]]) -> None:
    """Tokens are only ever added."""
    prices = Prices(input_text=3, input_audio=7, input_image=5, cached_text=1, output_text=11, output_audio=13)

    assert used(*responses).cost(prices) >= used(*responses[:-1]).cost(prices) - 1e-12
