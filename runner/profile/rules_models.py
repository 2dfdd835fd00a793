"""Rules about what a model can and how long there is one; `rules.py` has their codes.

On Azure a model is known by the name of its deployment, which says nothing.
"""

from collections.abc import Iterator
from datetime import date

from runner.profile import known_models
from runner.profile.keys import Key, at
from runner.profile.tables import Finding, Tables, is_hosted
from runner.settings.endpoint import CustomEndpoint, OpenAIEndpoint
from runner.settings.profile import RealtimeSettings, TranslationSettings

_NO_CONNECTORS_AFTER = date(2026, 9, 1)
_TRANSCRIPTION: Key = ("session", "audio", "input", "transcription")
_NAMES: tuple[Key, ...] = (("model", "name"), ("session", "model"), (*_TRANSCRIPTION, "model"))
_NOT_REALTIME = frozenset({"fable", "nova", "onyx"})
"""Voices of the speech API that no session has."""


def model_ending(tables: Tables) -> Iterator[Finding]:
    """A model that is shut down soon."""
    for key, model, ends in _ending(tables):
        if ends > known_models.today():
            yield key, f"{model.name} is shut down on {ends}", f"use {model.successor}", "value"


def model_ended(tables: Tables) -> Iterator[Finding]:
    """A model that is shut down."""
    for key, model, ends in _ending(tables):
        if ends <= known_models.today():
            yield key, f"{model.name} was shut down on {ends}", f"use {model.successor}", "value"


def _ending(tables: Tables) -> Iterator[tuple[Key, known_models.KnownModel, date]]:
    if isinstance(tables.endpoint, OpenAIEndpoint | CustomEndpoint):
        for key, model in _named(tables):
            if model.ends and model.is_ending:
                yield key, model, model.ends


def model_session(tables: Tables) -> Iterator[Finding]:
    """A model in a session of a kind that it does not run."""
    if not isinstance(tables.endpoint, OpenAIEndpoint) or not tables.session:
        return
    for key, model in _named(tables):
        kind = "transcription" if key[:-1] == _TRANSCRIPTION else tables.session.type
        if key == ("model", "name") and kind == "transcription":
            continue  # it is refused there whatever it is
        if kind not in model.sessions:
            known = known_models.known_models().values()
            fitting = [each.name for each in known if kind in each.sessions and not each.ends]
            problem = f"{model.name} is a model for {' and '.join(model.sessions)} sessions"
            yield key, problem, f"for a {kind} there are {', '.join(fitting)}", "value"


def model_lacks(tables: Tables) -> Iterator[Finding]:
    """A field that the model of the transcription does not take."""
    given = at(tables.tree, _TRANSCRIPTION)
    models = known_models.known_models()
    if not isinstance(tables.endpoint, OpenAIEndpoint) or not isinstance(given, dict):
        return
    model = models.get(str(given.get("model")))
    for name in ("delay", "keywords", "languages", "prompt"):
        if model and name in given and name not in model.takes:
            takers = ", ".join(each.name for each in models.values() if name in each.takes and not each.ends)
            yield (*_TRANSCRIPTION, name), f"{model.name} does not take it", f"remove it; it is for {takers}", "key"


def voice_unsupported(tables: Tables) -> Iterator[Finding]:
    """A voice that no session has."""
    audio = tables.session.audio if isinstance(tables.session, RealtimeSettings) else None
    voice = audio.output.voice if audio and audio.output else None
    if is_hosted(tables) and voice in _NOT_REALTIME:
        problem = f"{voice} is no voice of the Realtime API"
        yield ("session", "audio", "output", "voice"), problem, "marin and cedar are the best", "value"


def connector_refused(tables: Tables) -> Iterator[Finding]:
    """A ready connector beside a model that takes none."""
    tools = at(tables.tree, ("session", "tools"))
    models = [each for _, each in _named(tables) if each.released and each.released > _NO_CONNECTORS_AFTER]
    for index, each in enumerate(tools if isinstance(tools, list) else ()):
        if models and isinstance(each, dict) and "connector_id" in each:
            problem = f"{models[0].name} takes no ready connectors"
            yield ("session", "tools", index, "connector_id"), problem, "write `server_url` or `tunnel_id`", "key"


def _named(tables: Tables) -> Iterator[tuple[Key, known_models.KnownModel]]:
    """The known models that a profile names, by the keys that do."""
    for key in _NAMES:
        if isinstance(tables.session, TranslationSettings) and key[:-1] == _TRANSCRIPTION:
            continue
        name = at(tables.tree, key)
        model = known_models.known_models().get(name) if isinstance(name, str) else None
        if model:
            yield key, model
