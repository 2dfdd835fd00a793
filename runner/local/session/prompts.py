"""The prompts that the items of a conversation make for the rules."""

from runner.local.session.item_store import StoredItem
from runner.local.speech.replies import Call, PromptSummary


def prompt_of(items: list[StoredItem], instructions: str) -> PromptSummary:
    """Summarize a request for the rules: its instructions, the last user message, and the last outputs after it."""
    last = next((index for index in reversed(range(len(items))) if items[index].item.get("role") == "user"), None)
    rest = items if last is None else items[last + 1 :]
    outputs = tuple(_last_outputs(rest))
    approvals = {stored.item["approval_request_id"]: stored.item["approve"] for stored in rest if _answers(stored)}
    made = {stored.item.get("approval_request_id") for stored in rest if stored.item["type"] == "mcp_call"}
    asked = [stored.item for stored in rest if stored.item["type"] == "mcp_approval_request"]
    approved = tuple(
        Call(each["name"], each["arguments"], each["server_label"], approval_id=each["id"])
        for each in asked
        if approvals.get(each["id"]) and each["id"] not in made
    )
    is_denied = bool(asked) and approvals.get(asked[-1]["id"]) is False
    if last is None:
        return PromptSummary(outputs=outputs, instructions=instructions, approved=approved, is_denied=is_denied)
    content = items[last].item["content"]
    words = [part["text"] for part in content if part["type"] == "input_text"]
    words += [part["transcript"] for part in content if part.get("transcript") and not items[last].transcript]
    return PromptSummary(
        text=" ".join([*words, *filter(None, [items[last].transcript])]),
        audio_s=items[last].audio_ms / 1000,
        images=sum(part["type"] == "input_image" for part in content),
        outputs=outputs,
        instructions=instructions,
        approved=approved,
        is_denied=is_denied,
    )


def asks_approval(items: list[StoredItem]) -> bool:
    """Whether a request for approval is still to be answered."""
    answered = {stored.item["approval_request_id"] for stored in items if _answers(stored)}
    return any(stored.item["type"] == "mcp_approval_request" and stored.id not in answered for stored in items)


def _answers(stored: StoredItem) -> bool:
    return bool(stored.item["type"] == "mcp_approval_response")


def _last_outputs(items: list[StoredItem]) -> list[str]:
    """The outputs of the functions that were called last, in the order of their calls' answers."""
    outputs: list[str] = []
    for stored in reversed(items):
        if stored.item["type"] == "function_call_output":
            outputs.insert(0, stored.item["output"])
        elif outputs:
            break
    return outputs
