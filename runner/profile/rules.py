"""Rules that hold between tables; each has a code that scripts may rely on.

| code | what it refuses |
|---|---|
| `temperature-removed` | `temperature` where the current API is spoken; it has none |
| `preview-field` | a flat field of the preview's session; the hint has its new name |
| `model-missing` | a conversation on OpenAI or Azure without a model |
| `model-with-transcription` | a model beside a transcription session on OpenAI or Azure |
| `model-with-call` | a model beside `call_id` |
| `translation-unsupported` | a translation on Azure, which has none, or beside `call_id` |
| `model-twice` | `session.model` that differs from `model.name` |
| `azure-api-version` | an `api_version` that is not a preview's: the current API takes none |
| `azure-base-url` | a resource's address with a path |
| `azure-preview` | (warning) the preview protocol, which is on its way out |
| `reasoning-unsupported` | `reasoning` on a model known to have none |
| `both-modalities` | text and audio both |
| `turn-detection-unsupported` | turn detection with a transcription model that refuses it |
| `entra-endpoint` | Entra ID on OpenAI or on the local endpoint |
| `entra-fields` | an Entra credential without the fields that it needs |
| `plain-http` | `http://` to another machine |
| `no-credential` | (warning) OpenAI or Azure without any credential |
| `stdout-twice` | two outputs on standard output |
| `no-first-response` | (warning) `until = "response-done"` where no response ever comes |
| `cost-without-prices` | `max_cost` where nothing has a price |
| `sessions-share-file` | several sessions and a file with neither `{session}` nor `{run_id}` in its path |
| `reconnect-delays` | a first wait that is longer than the longest |
| `classify-sign` | a key of `classify` that is no HTTP status of a failure, no close code and no word |
| `retry-without-history` | (warning) a lost response to be asked for again on a connection that knows no history |
| `text-into-audio` | (warning) lines of text for a transcription or a translation, which take audio |
| `audio-only-key` | a key for audio on a standard stream of another format |
| `nothing-to-hear` | an output that plays answers of a session that answers in text or not at all |
| `nothing-to-record` | a recording of the input where no audio goes in |
| `transcript-one-sided` | (warning) a transcript of a spoken conversation that does not ask for `transcription` |
| `push-to-talk-turns` | push-to-talk beside turn detection, or in a session that listens all the time |
| `speaker-shared` | two speakers, or one for several sessions |
| `samples-mixed` | audio of several sessions on one standard output |
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from runner.profile import audio_rules, connection_rules, run_rules, session_rules
from runner.profile.faults import Fault, Place, fault_at
from runner.profile.keys import Key
from runner.profile.merge import Owners
from runner.profile.tables import Finding, Part, Tables, valid_tables
from runner.settings.profile import Profile

WARNINGS = frozenset(
    {
        "azure-preview",
        "no-credential",
        "no-first-response",
        "retry-without-history",
        "text-into-audio",
        "transcript-one-sided",
    }
)
"""The codes that warn; all others refuse the profile."""


class Rule(NamedTuple):
    """One rule: its code, and the check that yields what breaks it."""

    code: str
    check: Callable[[Tables], Iterator[Finding]]


def broken_rules(
    profile: Profile | None, tree: dict[str, Any], invalid: frozenset[str], owners: Owners
) -> list[tuple[Key, Fault, bool]]:
    """What breaks a rule, as key, fault and whether it only warns; invalid tables are left out."""
    tables = valid_tables(profile, tree, invalid)
    found: list[tuple[Key, Fault, bool]] = []
    for rule in RULES:
        for key, problem, hint, part in rule.check(tables):
            place = _place(key, part, owners)
            found.append((key, fault_at(place, key, problem, hint, code=rule.code), rule.code in WARNINGS))
    return found


def _place(key: Key, part: Part, owners: Owners) -> Place:
    nearest = key
    while nearest not in owners:
        nearest = nearest[:-1]
    return owners[nearest].place(nearest, part if nearest == key else "table")


RULES = (
    Rule("temperature-removed", session_rules.temperature_removed),
    Rule("preview-field", session_rules.preview_field),
    Rule("model-missing", connection_rules.model_missing),
    Rule("model-with-transcription", connection_rules.model_with_transcription),
    Rule("model-with-call", connection_rules.model_with_call),
    Rule("translation-unsupported", connection_rules.translation_unsupported),
    Rule("model-twice", connection_rules.model_twice),
    Rule("azure-api-version", connection_rules.azure_api_version),
    Rule("azure-base-url", connection_rules.azure_base_url),
    Rule("azure-preview", connection_rules.azure_preview),
    Rule("reasoning-unsupported", session_rules.reasoning_unsupported),
    Rule("both-modalities", session_rules.both_modalities),
    Rule("turn-detection-unsupported", session_rules.turn_detection_unsupported),
    Rule("entra-endpoint", connection_rules.entra_endpoint),
    Rule("entra-fields", connection_rules.entra_fields),
    Rule("plain-http", connection_rules.plain_http),
    Rule("no-credential", connection_rules.no_credential),
    Rule("stdout-twice", session_rules.stdout_twice),
    Rule("no-first-response", session_rules.no_first_response),
    Rule("cost-without-prices", run_rules.cost_without_prices),
    Rule("sessions-share-file", run_rules.sessions_share_file),
    Rule("reconnect-delays", run_rules.reconnect_delays),
    Rule("classify-sign", run_rules.classify_sign),
    Rule("retry-without-history", run_rules.retry_without_history),
    Rule("text-into-audio", audio_rules.text_into_audio),
    Rule("audio-only-key", audio_rules.audio_only_key),
    Rule("nothing-to-hear", audio_rules.nothing_to_hear),
    Rule("nothing-to-record", audio_rules.nothing_to_record),
    Rule("transcript-one-sided", audio_rules.transcript_one_sided),
    Rule("push-to-talk-turns", audio_rules.push_to_talk_turns),
    Rule("speaker-shared", audio_rules.speaker_shared),
    Rule("samples-mixed", audio_rules.samples_mixed),
)
