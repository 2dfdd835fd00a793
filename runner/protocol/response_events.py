"""Server events of responses: how they change a session, pieces of answers first of all."""

from collections.abc import Callable, Sequence

from runner.protocol.conversation import Conversation
from runner.protocol.conversation_events import finished
from runner.protocol.effects import (
    AudioDelta,
    Effect,
    ResponseRetried,
    ResponseStarted,
    TextCorrected,
    TextDelta,
    make,
)
from runner.protocol.item import part_index
from runner.protocol.json_fields import BadField, JsonObject, identifier, optional_text, table
from runner.protocol.response_items import forget_names, free_name, home_of, item_of, place_of, put, response_of
from runner.protocol.response_outcome import asked_again, ending_of, loss_of
from runner.protocol.state import SessionState


def _response_created(state: SessionState, event: JsonObject) -> list[Effect]:
    response = table(event, "response")
    return _begin(state, identifier(response, "id"), response)


def _begin(state: SessionState, response_id: str, response: JsonObject) -> list[Effect]:
    state.pending.begin(response_id, response)
    forget_names(state.conversation, response_id)
    asked = state.pending.request_of(response_id)
    if asked is None or not asked.first_id:
        return [ResponseStarted(response_id)]
    # The question came before its request: where it was not confirmed before its answer, it never will be.
    questions = state.conversation.unconfirmed_turns(state.sent)
    return [*questions, ResponseStarted(response_id, asked.first_id, asked.at_s)]


def _begin_unannounced(state: SessionState, response_id: str) -> list[Effect]:
    """Begin the response that an event is a part of, where its own beginning was lost or is never sent."""
    return _begin(state, response_id, {}) if state.pending.begins_unannounced(response_id) else []


def _output_item_added(state: SessionState, event: JsonObject) -> list[Effect]:
    incoming, response_id = table(event, "item"), response_of(state, event)
    begun = _begin_unannounced(state, response_id)
    home = home_of(state, response_id)
    if home is not None:
        put(home, response_id, incoming)
    return begun


def _output_item_done(state: SessionState, event: JsonObject) -> list[Effect]:
    incoming, response_id = table(event, "item"), response_of(state, event)
    begun = _begin_unannounced(state, response_id)
    home = home_of(state, response_id)
    if home is not None:
        put(home, response_id, incoming)
    if home is state.aside or (home is None and state.conversation.get(identifier(incoming, "id")) is None):
        return begun
    return [*begun, *finished(state, incoming)]


def _delta(state: SessionState, event: JsonObject) -> list[Effect]:
    try:
        item_id, response_id, delta = event["item_id"], event["response_id"], event["delta"]
        index = event["content_index"]
        pieces = state.conversation.by_id[item_id].parts[index]
        # What is known already has the right type; only what is new must be looked at closely.
        if response_id in state.pending.active and type(delta) is str and type(index) is int:
            pieces.append(delta)
            return [make(TextDelta, (response_id, item_id, delta))]
    except (KeyError, TypeError):
        pass
    return _first_delta(state, event)


def _first_delta(state: SessionState, event: JsonObject) -> list[Effect]:
    delta, (response_id, item_id) = _words(event, "delta"), place_of(state, event)
    index = part_index(event, state.side)
    begun = _begin_unannounced(state, response_id)
    home = home_of(state, response_id)
    if home is not None:
        free_name(home, response_id, item_id)
    late = _late(state, event, response_id, item_id) if delta else []
    home = state.conversation if item_id in state.conversation.by_id else home
    if home is not None:
        item, delta = home.append(item_id, index, delta)
        item.response_id = item.response_id or response_id
    # A piece that says nothing new is none.
    pieces = [TextDelta(response_id, item_id, delta)] if delta or not event.get("delta") else []
    return [*state.side.report(event["type"]), *late, *begun, *pieces]


def _late(state: SessionState, event: JsonObject, response_id: str, item_id: str) -> list[Effect]:
    """Report words that come once it was reported what their turn is; they are in no transcript."""
    item = state.conversation.get(item_id)
    if response_id in state.pending.ended:
        return state.reported_once.malformed(event["type"], "it came after the end of its response")
    if item is not None and item.is_announced and item.response_id:
        return state.reported_once.malformed(event["type"], "it came after the end of its item")
    return []


def _words(event: JsonObject, key: str) -> str:
    """The words of an event; some servers write null where nothing is said."""
    if key not in event:
        raise BadField(key, "a string")
    return optional_text(event, key)


def _audio_delta(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id, response_id, audio = event.get("item_id"), event.get("response_id"), event.get("delta")
    if type(item_id) is type(response_id) is type(audio) is str:
        item = state.conversation.by_id.get(item_id)
        if item is not None:
            item.audio_characters += len(audio)
            return [make(AudioDelta, (response_id, item_id, audio))]
    return _first_audio(state, event)


def _first_audio(state: SessionState, event: JsonObject) -> list[Effect]:
    audio, (response_id, item_id) = _words(event, "delta"), place_of(state, event)
    begun = _begin_unannounced(state, response_id)
    home = home_of(state, response_id)
    if home is not None:
        item = item_of(home, response_id, item_id)
        item.audio_characters += len(audio)
    return [*state.side.report(event["type"]), *begun, AudioDelta(response_id, item_id, audio)]


def _whole(key: str) -> Callable[[SessionState, JsonObject], list[Effect]]:
    def route(state: SessionState, event: JsonObject) -> list[Effect]:
        words, (response_id, item_id) = _words(event, key), place_of(state, event)
        return _end_part(state, event, words, response_id, item_id)

    return route


def _arguments_done(state: SessionState, event: JsonObject) -> list[Effect]:
    """Take in what a response calls, which some servers say nowhere else."""
    item_id, response_id = state.side.identifier(event, "item_id"), response_of(state, event)
    begun = _begin_unannounced(state, response_id)
    home = home_of(state, response_id)
    if home is not None and item_id:
        told: JsonObject = {key: event[key] for key in ("call_id", "name", "arguments") if key in event}
        put(home, response_id, {"id": item_id, "type": "function_call", **told})
    return begun


def _part_done(state: SessionState, event: JsonObject) -> list[Effect]:
    part = state.side.table(event, "part")
    words = state.side.text(part, "text") or state.side.text(part, "transcript")
    if not words:
        return []
    response_id, item_id = place_of(state, event)
    item = state.conversation.get(item_id) or state.aside.get(item_id)
    known = item.texts.get(part_index(event, state.side), "") if item else ""
    # The event before, which ended the text of the part, has said it already, in one piece or in several.
    return [] if words.strip() in known else _end_part(state, event, words, response_id, item_id)


def _end_part(state: SessionState, event: JsonObject, words: str, response_id: str, item_id: str) -> list[Effect]:
    index, begun = part_index(event, state.side), _begin_unannounced(state, response_id)
    home = home_of(state, response_id)
    if home is not None:
        free_name(home, response_id, item_id)
    known = state.conversation.get(item_id)
    if words and not (known and words in known.text) and (late := _late(state, event, response_id, item_id)):
        return late
    home = state.conversation if known else home
    if home is not None and words:
        item_of(home, response_id, item_id).end_part(index, words)
    return begun


def _response_done(state: SessionState, event: JsonObject) -> list[Effect]:
    response = table(event, "response")
    response_id = state.side.identifier(response, "id") or response_of(state, event)
    if not response_id:
        raise BadField("id", "a string")
    status = state.side.text(response, "status") or "completed"
    output = state.side.tables(response, "output")
    is_new = response_id not in state.pending.ended
    asked = state.pending.end(response_id, response)
    in_conversation = asked is not None and asked.kind == "response"
    effects: list[Effect] = []
    if asked is not None or is_new:
        is_aside = asked.kind == "out_of_band" if asked else response.get("conversation_id", "") is None
        home = state.aside if is_aside else state.conversation
        effects = _output(state, home, response_id, output, is_whole=status == "completed")
    state.usage.add(state.side.table(response, "usage"), state.side)
    state.usage.responses += 1
    request_id = asked.first_id if asked else ""
    called, goes_on = _called(state, response_id, request_id, status) if in_conversation else ([], False)
    ending = ending_of(response_id, status, response.get("status_details"), request_id)
    if in_conversation and request_id:
        ending = ending._replace(loss=loss_of(state, ending))
    is_filler = asked is not None and asked.is_filler
    if goes_on or is_filler:
        ending = ending._replace(is_step=True)
    if asked and not is_filler and ending.error and (again := asked_again(state, asked, ending.error)):
        state.pending.repeat(again)
        return [*effects, *called, ResponseRetried(response_id, ending.error, request_id)]
    return [*effects, *called, ending]


def _called(state: SessionState, response_id: str, request_id: str, status: str) -> tuple[list[Effect], bool]:
    """What a response has called, and whether the turn goes on; what was cancelled or has failed calls nothing."""
    made = state.conversation.of_responses({response_id})
    return state.rounds.call(response_id, request_id, made, is_over=status in {"completed", "incomplete"})


def _output(
    state: SessionState, home: Conversation, response_id: str, output: Sequence[JsonObject], *, is_whole: bool
) -> list[Effect]:
    """What a response has said by its end: the items that it names, and those of which only pieces have come."""
    effects: list[Effect] = []
    named = ""
    for each in output:
        try:
            named += put(home, response_id, each).text
            effects += finished(state, each) if home is state.conversation else ()
        except BadField as bad:
            effects += state.reported_once.malformed("response.done", str(bad))
    for item in home.of_responses({response_id}):
        if home is state.aside:
            home.remove(item.id)
            if item.text and not item.pieces:
                effects += [TextCorrected(item.id, "pieces missing"), TextDelta(response_id, item.id, item.text)]
            else:
                effects += item.corrections()
        elif not item.is_announced and (item.role != "assistant" or item.text not in named or not named):
            # Some servers name their items otherwise at the end, or name none: what is no message ends here too.
            if item.status == "in_progress":
                item.status = "completed" if is_whole else "incomplete"
            effects += home.end_turn(item)
    return effects


RESPONSE_ROUTES = {
    "response.created": _response_created,
    "response.output_item.added": _output_item_added,
    "response.output_item.done": _output_item_done,
    "response.output_text.delta": _delta,
    "response.output_text.done": _whole("text"),
    "response.output_audio.delta": _audio_delta,
    "response.output_audio_transcript.delta": _delta,
    "response.output_audio_transcript.done": _whole("transcript"),
    "response.content_part.done": _part_done,
    "response.function_call_arguments.done": _arguments_done,
    "response.done": _response_done,
}
"""The events of responses, in the conversation and out of band."""
