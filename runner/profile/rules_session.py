"""Rules about what a session is and what goes in and out; `rules.py` has their codes."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from runner.profile.keys import Key, at, dotted
from runner.profile.legacy_fields import GONE, MOVED, successor
from runner.profile.live_keys import live_hint
from runner.profile.tables import Finding, Tables, is_hosted, speaks_preview
from runner.profile.tool_keys import tools_of
from runner.settings.input import StdinInput, answers_calls
from runner.settings.profile import RealtimeSettings, TranscriptionSettings, TranslationSettings, is_live

_NO_REASONING = re.compile(r"gpt-realtime(-1\.5|-mini)?(-\d{4}-\d{2}-\d{2})?|gpt-4o(-mini)?-realtime.*")


def _former_fields(tables: Tables) -> Iterator[Key]:
    session = tables.tree.get("session")
    for name in session if isinstance(session, dict) else ():
        if name == GONE or name in MOVED:
            yield ("session", name)
    extra = at(tables.tree, ("session", "extra"))
    if is_hosted(tables) and not speaks_preview(tables):
        for name in extra if isinstance(extra, dict) else ():
            if name == GONE or name in MOVED:
                yield ("session", "extra", name)


def temperature_removed(tables: Tables) -> Iterator[Finding]:
    """`temperature`, which the current API does not have."""
    for key in _former_fields(tables):
        if key[-1] == GONE and speaks_preview(tables):
            yield key, "only the preview protocol has it", "write session.extra.temperature", "key"
        elif key[-1] == GONE:
            yield key, "the current API has no temperature", "remove it", "key"


def preview_field(tables: Tables) -> Iterator[Finding]:
    """Flat fields of the preview session."""
    for key in _former_fields(tables):
        if key[-1] in MOVED:
            yield key, "a name of the preview API", _in_live(key, tables) or successor(key), "key"


def _in_live(key: Key, tables: Tables) -> str:
    """What to do about a field of the preview's session in a Live one; empty where its place is the same."""
    place = ("session", *MOVED[str(key[-1])].split("."))
    return next(filter(None, (live_hint(place[:end], tables.tree) for end in range(len(place), 1, -1))), "")


def extra_known(tables: Tables) -> Iterator[Finding]:
    """A field in `extra` that the session itself takes with this value; the one in `extra` would win unseen."""
    extra = at(tables.tree, ("session", "extra"))
    if tables.session is None or not isinstance(extra, dict):
        return
    for key in _known_below(extra, (), type(tables.session), tables.session.type):
        written = dotted(("session", *key))
        yield ("session", "extra", *key), "rt-run knows this field", f"write {written}", "key"


def _known_below(table: dict[str, Any], key: Key, kind: type[BaseModel], session_type: str) -> Iterator[Key]:
    for name, value in table.items():
        here = (*key, name)
        if name == "type" or (not key and name == "extra"):
            continue
        if isinstance(value, dict) and "type" not in value and value:
            yield from _known_below(value, here, kind, session_type)
        else:
            asked: Any = value
            for part in reversed(here):
                asked = {part: asked}
            try:
                kind.model_validate({"type": session_type, **asked})
            except ValidationError:
                continue
            yield here


def reasoning_unsupported(tables: Tables) -> Iterator[Finding]:
    """`reasoning` on a model that is known to have none."""
    session = tables.session
    if isinstance(session, RealtimeSettings) and session.reasoning is not None:
        model = tables.model.name if tables.model else session.model
        if model and _NO_REASONING.fullmatch(model):
            yield ("session", "reasoning"), f"{model} does not reason", "remove it, or use gpt-realtime-2", "key"


def both_modalities(tables: Tables) -> Iterator[Finding]:
    """Text and audio both asked for."""
    key = ("session", "output_modalities")
    given = at(tables.tree, key)
    if isinstance(given, list) and "text" in given and "audio" in given:
        yield key, "text and audio cannot both be asked for", '["audio"] comes with a transcript', "value"


def turn_detection_unsupported(tables: Tables) -> Iterator[Finding]:
    """Turn detection with a transcription model that refuses it."""
    if isinstance(tables.session, TranslationSettings) or is_live(tables.session):
        return
    audio = tables.session.audio if tables.session else None
    if not audio or not audio.input or not audio.input.transcription:
        return
    model = audio.input.transcription.model or ""
    is_whisper = model.startswith("gpt-realtime-whisper")
    hears_live = model == "gpt-live-transcribe" and isinstance(tables.session, TranscriptionSettings)
    if is_whisper or hears_live:
        key = ("session", "audio", "input", "turn_detection")
        unset = "turn_detection" not in audio.input.model_fields_set
        refused = unset and is_whisper and isinstance(tables.session, TranscriptionSettings)
        if audio.input.turn_detection is not None or refused:
            yield key, f"{model} takes no turn detection", 'write turn_detection = "none"', "value"


def stdout_twice(tables: Tables) -> Iterator[Finding]:
    """Two outputs on standard output."""
    places = [index for index, output in enumerate(tables.outputs or ()) if output.kind == "stdout"]
    for index in places[1:]:
        yield ("outputs", index, "kind"), "standard output is taken by another output", "remove one of them", "value"


def tools_unanswered(tables: Tables) -> Iterator[Finding]:
    """Functions that the model may call, where nothing runs them."""
    is_called = at(tables.tree, ("session", "tool_choice")) != "none"
    if not is_called or tables.input is None or answers_calls(tables.input):
        return
    answer = 'answer with client events, input = { kind = "stdin", format = "events" }, or from a Python program'
    tools = at(tables.tree, ("session", "tools"))
    if isinstance(tools, list) and any(_is_function(each) for each in tools):
        yield ("session", "tools"), "nothing answers what the model calls", f"write [[tools]], or {answer}", "key"
    for key, tool in tools_of(tables.tree):
        if at(tool, ("run", "kind")) == "client":
            yield (*key, "run", "kind"), "nothing answers what the model calls", answer, "value"


def _is_function(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type", "function") == "function"


def question_unasked(tables: Tables) -> Iterator[Finding]:
    """A question after a document where no document is read."""
    given = tables.input
    if isinstance(given, StdinInput) and given.format != "document" and given.question:
        hint = 'write format = "document", or kind = "question" without standard input'
        yield ("input", "question"), 'only `format = "document"` takes it', hint, "key"


def no_first_response(tables: Tables) -> Iterator[Finding]:
    """`until = "response-done"` where no response ever comes."""
    if tables.input and tables.input.kind == "none" and tables.run and tables.run.until == "response-done":
        problem = "without input nothing asks for a response"
        yield ("run", "until"), problem, 'use until = "signal", or another [input]', "value"
    elif (
        tables.session
        and tables.session.type not in {"realtime", "live"}
        and tables.run
        and tables.run.until == "response-done"
    ):
        problem = f"a {tables.session.type} session makes no response"
        yield ("run", "until"), problem, 'use until = "input-end", or "signal"', "value"
