"""What the tokens and the minutes of a session cost."""

from typing import Annotated

from pydantic import Field

from runner.api.strict import Section

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Prices(Section):
    """What tokens cost, in any one currency per million; what is not named costs nothing."""

    input_text: Price = 0.0
    """Text of a prompt that was not cached."""
    input_audio: Price = 0.0
    """Audio of a prompt that was not cached."""
    input_image: Price = 0.0
    """Images of a prompt that were not cached."""
    cached_text: Price = 0.0
    """Text of a prompt that was cached."""
    cached_audio: Price = 0.0
    """Audio of a prompt that was cached."""
    cached_image: Price = 0.0
    """Images of a prompt that were cached."""
    output_text: Price = 0.0
    """Text of an answer."""
    output_audio: Price = 0.0
    """Audio of an answer."""
    transcription_input: Price = 0.0
    """Tokens that a transcription read."""
    transcription_output: Price = 0.0
    """Tokens that a transcription wrote."""
    transcription_minute: Price = 0.0
    """A minute of audio transcribed, where the endpoint counts minutes; not per million."""
    live_minute: Price = 0.0
    """A minute of a Live session; not per million."""
