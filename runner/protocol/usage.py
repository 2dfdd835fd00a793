"""What a session has used, added up from every `response.done`."""

from dataclasses import dataclass

from runner.protocol.fields import JsonObject, count, optional_table


@dataclass(slots=True)
class Usage:
    """Tokens by direction and modality, as the API reports them."""

    responses: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0

    def add(self, usage: JsonObject) -> None:
        """Add the `usage` object of one response; raises `BadField` and changes nothing where it is malformed."""
        incoming = optional_table(usage, "input_token_details")
        outgoing = optional_table(usage, "output_token_details")
        amounts = (
            count(usage, "input_tokens"),
            count(usage, "output_tokens"),
            count(incoming, "cached_tokens"),
            count(incoming, "text_tokens"),
            count(incoming, "audio_tokens"),
            count(outgoing, "text_tokens"),
            count(outgoing, "audio_tokens"),
        )
        self.input_tokens += amounts[0]
        self.output_tokens += amounts[1]
        self.cached_tokens += amounts[2]
        self.input_text_tokens += amounts[3]
        self.input_audio_tokens += amounts[4]
        self.output_text_tokens += amounts[5]
        self.output_audio_tokens += amounts[6]

    @property
    def total_tokens(self) -> int:
        """Tokens in both directions."""
        return self.input_tokens + self.output_tokens
