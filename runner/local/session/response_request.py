"""From a `response.create` and the session's state to what the response is to be."""

from typing import Any, Final

from runner.api.client_events import ResponseCreateParams
from runner.audio.format import FORMATS, AudioFormat
from runner.local.session.api_error import ApiError, invalid_value
from runner.local.session.effective_config import EffectiveConfig, audio_format
from runner.local.session.item_store import Entries, Entry, Tokens, admit
from runner.local.session.response import Order

_CACHE_BLOCK_TOKENS: Final = 64


def check_conversation(params: ResponseCreateParams) -> bool:
    """Whether the response belongs to the conversation.

    Raises:
        ApiError: It is to belong to a conversation that cannot exist.
    """
    if params.conversation not in {None, "auto", "none"}:
        raise invalid_value("response.conversation", params.conversation, ["auto", "none"])
    return params.conversation != "none"


def order_for(
    params: ResponseCreateParams,
    *,
    configuration: EffectiveConfig,
    conversation: Entries,
    warm_tokens: int,
    spoke: bool,
) -> Order:
    """What the response is to be.

    Args:
        params: The client's wishes, which go before the session's settings.
        configuration: The session's settings.
        conversation: What the response answers to, unless `params` has an input of its own.
        warm_tokens: How long the last prompt was; that much of this one counts as cached, in whole blocks.
        spoke: Whether the session has sent audio already.

    Raises:
        ApiError: The input refers to what does not exist, or the voice can no longer change.
    """
    form = FORMATS[configuration.hearing["format"]["type"]]
    entries = list(conversation.entries) if params.input is None else _given(params, conversation, form)
    instructions = params.instructions if params.instructions is not None else configuration["instructions"]
    prompt = sum((entry.tokens() for entry in entries), Tokens(text=-(-len(instructions) // 4)))
    warm = min(warm_tokens, prompt.total) if params.input is None else 0
    modalities = params.output_modalities or configuration["output_modalities"]
    limit = params.max_output_tokens or configuration["max_output_tokens"]
    speech = _speech(params, configuration, spoke=spoke)
    return Order(
        entries=entries,
        instructions=instructions,
        form=FORMATS[speech["format"]["type"]] if modalities == ["audio"] else None,
        shown={
            "output_modalities": modalities,
            "max_output_tokens": limit,
            "audio": {"output": speech},
            "metadata": params.metadata,
        },
        prompt=prompt,
        cached=warm // _CACHE_BLOCK_TOKENS * _CACHE_BLOCK_TOKENS,
        max_output_tokens=None if limit == "inf" else limit,
    )


def _speech(params: ResponseCreateParams, configuration: EffectiveConfig, *, spoke: bool) -> dict[str, Any]:
    speech = {name: configuration.speech[name] for name in ("format", "voice")}
    wish = params.audio.output if params.audio else None
    if wish and wish.format:
        speech["format"] = audio_format(wish.format.model_dump())
    if wish and wish.voice:
        speech["voice"] = wish.voice if isinstance(wish.voice, str) else wish.voice.id
    if spoke and speech["voice"] != configuration.speech["voice"]:
        message = "Cannot update a conversation's voice if assistant audio is present."
        raise ApiError(message, code="cannot_update_voice", param="response.audio.output.voice")
    return speech


def _given(params: ResponseCreateParams, conversation: Entries, form: AudioFormat) -> list[Entry]:
    entries = []
    for index, item in enumerate(params.input or []):
        if item.type == "item_reference":
            entries.append(conversation.find(item.id, doing="referencing", param=f"response.input[{index}].id"))
        else:
            given = item.model_dump(mode="json", exclude_unset=True)
            entries.append(admit(given, form=form, at=f"response.input[{index}]"))
    return entries
