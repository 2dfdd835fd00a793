"""What a session may spend before it ends by itself."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from runner.api.on_demand import on_demand
from runner.api.strict import Section

if TYPE_CHECKING:
    from runner.settings.prices import Prices
else:
    Prices = on_demand("runner.settings.prices.Prices")

Most = Annotated[int, Field(gt=0)]
MostSeconds = Annotated[float, Field(gt=0, le=31_536_000)]


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
