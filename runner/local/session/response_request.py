"""What a response is to be: a `response.create`, completed by the session's settings."""

from dataclasses import dataclass, field
from typing import Any, Final

from runner.api.client_events import ResponseCreateParams
from runner.audio.format import FORMATS, AudioFormat
from runner.local.session.api_error import ApiError, invalid_value
from runner.local.session.effective_config import EffectiveConfig, complete_format
from runner.local.session.item_store import ItemStore, StoredItem, Tokens, admit
from runner.local.speech.replies import Offer

_CACHE_BLOCK_TOKENS: Final = 64


@dataclass(frozen=True)
class ResponseRequest:
    """What a response is to be.

    Args:
        items: The items that the response answers to.
        instructions: The instructions to the model.
        own_instructions: Those that the request itself brings, nothing where the session's hold.
        audio_format: The format of its audio, or None for a response in text.
        fields: The fields of the response object that come from the request or the session.
        prompt_tokens: The tokens of the prompt.
        cached_tokens: How many of them count as cached.
        max_output_tokens: The limit, or None.
        offer: The functions that the model may call, and whether it may or must.
    """

    items: list[StoredItem]
    instructions: str
    audio_format: AudioFormat | None
    fields: dict[str, Any]
    prompt_tokens: Tokens
    cached_tokens: int = 0
    max_output_tokens: int | None = None
    own_instructions: str = ""
    offer: Offer = field(default_factory=Offer)


def is_in_conversation(params: ResponseCreateParams) -> bool:
    """Whether the response belongs to the conversation.

    Raises:
        ApiError: The client names a conversation that does not exist.
    """
    if params.conversation not in {None, "auto", "none"}:
        raise invalid_value("response.conversation", params.conversation, ["auto", "none"])
    return params.conversation != "none"


def resolve_request(
    params: ResponseCreateParams,
    *,
    configuration: EffectiveConfig,
    conversation: ItemStore,
    last_prompt_tokens: int,
    has_sent_audio: bool,
) -> ResponseRequest:
    """Complete the client's parameters by the session's settings.

    Args:
        params: The client's parameters, which take precedence over the session's settings.
        configuration: The session's settings.
        conversation: The items that the response answers to, unless `params` has an input.
        last_prompt_tokens: The tokens of the last prompt; as many of this one count as cached, in whole blocks.
        has_sent_audio: Whether the session has sent audio already.

    Raises:
        ApiError: The input refers to an item that does not exist, or the voice can no longer change.
    """
    audio_format = FORMATS[configuration.input["format"]["type"]]
    items = list(conversation.items) if params.input is None else _given(params, conversation, audio_format)
    instructions = params.instructions if params.instructions is not None else configuration["instructions"]
    prompt = sum((stored.tokens() for stored in items), Tokens(text=-(-len(instructions) // 4)))
    cached = min(last_prompt_tokens, prompt.total) if params.input is None else 0
    modalities = params.output_modalities or configuration["output_modalities"]
    limit = params.max_output_tokens or configuration["max_output_tokens"]
    speech = _speech(params, configuration, has_sent_audio=has_sent_audio)
    return ResponseRequest(
        items=items,
        instructions=instructions,
        own_instructions=params.instructions or "",
        audio_format=FORMATS[speech["format"]["type"]] if modalities == ["audio"] else None,
        fields={
            "output_modalities": modalities,
            "max_output_tokens": limit,
            "audio": {"output": speech},
            "metadata": params.metadata,
        },
        prompt_tokens=prompt,
        cached_tokens=cached // _CACHE_BLOCK_TOKENS * _CACHE_BLOCK_TOKENS,
        max_output_tokens=None if limit == "inf" else limit,
        offer=_offer(params, configuration),
    )


def _offer(params: ResponseCreateParams, configuration: EffectiveConfig) -> Offer:
    given = params.model_dump(mode="json", include={"tools", "tool_choice"}, exclude_none=True)
    tools, choice = given.get("tools", configuration["tools"]), given.get("tool_choice", configuration["tool_choice"])
    functions = {each["name"]: each for each in tools if each["type"] == "function"}
    if choice == "required" and not tools:
        message = "Tool choice 'required' must be specified with 'tools' parameter."
        raise ApiError(message, code="invalid_value", param="response.tool_choice")
    servers = {each["server_label"]: each for each in tools if each["type"] == "mcp"}
    if not isinstance(choice, dict):
        return Offer(functions, choice, servers=servers)
    if choice["type"] != "function":
        # The script says which servers are called.
        return Offer(functions, servers=servers)
    if choice["name"] not in functions:
        message = f"Tool choice '{choice['name']}' not found in 'tools' parameter."
        raise ApiError(message, code="invalid_value", param="response.tool_choice")
    return Offer(functions, "named", choice["name"], servers)


def _speech(params: ResponseCreateParams, configuration: EffectiveConfig, *, has_sent_audio: bool) -> dict[str, Any]:
    speech = {name: configuration.output[name] for name in ("format", "voice")}
    wish = params.audio.output if params.audio else None
    if wish and wish.format:
        speech["format"] = complete_format(wish.format.model_dump())
    if wish and wish.voice:
        speech["voice"] = wish.voice if isinstance(wish.voice, str) else wish.voice.id
    if has_sent_audio and speech["voice"] != configuration.output["voice"]:
        message = "Cannot update a conversation's voice if assistant audio is present."
        raise ApiError(message, code="cannot_update_voice", param="response.audio.output.voice")
    return speech


def _given(params: ResponseCreateParams, conversation: ItemStore, audio_format: AudioFormat) -> list[StoredItem]:
    items = []
    for index, item in enumerate(params.input or []):
        if item.type == "item_reference":
            items.append(conversation.find(item.id, doing="referencing", param=f"response.input[{index}].id"))
        else:
            given = item.model_dump(mode="json", exclude_unset=True)
            items.append(admit(given, audio_format=audio_format, at=f"response.input[{index}]"))
    return items
