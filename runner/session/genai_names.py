"""The names of OpenTelemetry's conventions for generative AI, as its proposal for realtime sessions has them.

The conventions are in development, and their constants leave the packages of OpenTelemetry: they stand here, and
nowhere else.
"""

from __future__ import annotations

from typing import Final

RESPONSE_OPERATION: Final = "realtime_inference"
TOOL_OPERATION: Final = "execute_tool"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK_S: Final = "gen_ai.response.time_to_first_chunk"
REALTIME_SESSION_ID: Final = "gen_ai.realtime_session.id"
"""The session of one connection."""
CONVERSATION_ID: Final = "gen_ai.conversation.id"
"""The session over all its connections."""
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"

INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"

TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"

USAGE: Final = (
    ("gen_ai.usage.input_tokens", "input_tokens"),
    ("gen_ai.usage.output_tokens", "output_tokens"),
    ("gen_ai.usage.cache_read.input_tokens", "cached_tokens"),
    ("gen_ai.usage.text.input_tokens", "input_text_tokens"),
    ("gen_ai.usage.audio.input_tokens", "input_audio_tokens"),
    ("gen_ai.usage.image.input_tokens", "input_image_tokens"),
    ("gen_ai.usage.text.output_tokens", "output_text_tokens"),
    ("gen_ai.usage.audio.output_tokens", "output_audio_tokens"),
)
"""Each name, and the part of the usage that it counts."""

PROFILE: Final = "rt_run.profile"
RUN_ID: Final = "rt_run.run_id"
"""What is ours alone: the ids that lines of the log have, too."""


def provider_of(endpoint_kind: str) -> str:
    """Whose API an endpoint of this kind speaks."""
    return "azure.ai.openai" if endpoint_kind == "azure" else "openai"
