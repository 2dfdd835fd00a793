"""What a session may spend before it ends by itself."""

from typing import Annotated

from pydantic import Field

from runner.api.strict import Section

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Most = Annotated[int, Field(gt=0)]
MostSeconds = Annotated[float, Field(gt=0, le=31_536_000)]


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


class Limits(Section):
    """Budgets of one session over all its connections; at 80 % of one there is a warning, at its end a drain."""

    max_duration_s: MostSeconds | None = None
    """How long the session may last, in seconds."""
    max_idle_s: MostSeconds | None = None
    """How long neither side may say anything, in seconds."""
    max_turns: Most | None = None
    """Turns that were answered; responses that only lead to an answer, by calling functions, are not counted."""
    max_tool_calls: Most | None = None
    """Functions that were called."""
    max_input_tokens: Most | None = None
    """Tokens of prompts, transcriptions included."""
    max_output_tokens: Most | None = None
    """Tokens of answers, transcriptions included."""
    max_audio_tokens: Most | None = None
    """Tokens of audio, in and out, transcriptions included."""
    max_cached_tokens: Most | None = None
    """Tokens of prompts that were cached."""
    max_cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Money, in the currency of `prices`."""
    max_consecutive_errors: Most | None = None
    """Requests in a row that failed."""
    prices: Prices | None = None
    """What tokens cost, for `max_cost` and for the sum in the log."""

    @property
    def has_budget(self) -> bool:
        """Whether anything is limited; prices alone only say what a session has cost."""
        return bool(self.model_fields_set - {"prices"})
