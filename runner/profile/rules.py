"""Rules that hold between tables; each has a code that scripts may rely on.

| code | what it refuses |
|---|---|
| `temperature-removed` | `temperature` where the current API is spoken; it has none |
| `preview-field` | a flat field of the preview's session; the hint has its new name |
| `extra-known` | a field in `session.extra` that `[session]` takes with the same value |
| `model-missing` | a conversation on OpenAI or Azure without a model |
| `model-with-transcription` | a model beside a transcription session on OpenAI or Azure |
| `model-with-call` | a model beside `call_id` |
| `translation-unsupported` | a translation on Azure, which has none, or beside `call_id` |
| `live-unsupported` | a Live session beside `call_id`, or by the preview protocol |
| `model-twice` | `session.model` that differs from `model.name` |
| `azure-api-version` | an `api_version` that is not a preview's: the current API takes none |
| `azure-base-url` | a resource's address with a path |
| `base-url-path` | a base that is the whole address of something, such as `…/v1/realtime`, or OpenAI's without `/v1` |
| `base-url-query` | a base with a query, which is `endpoint.query`, or with a fragment |
| `query-parameter` | a parameter of OpenAI or Azure that rt-run writes itself, such as `api-version` or `deployment` |
| `endpoint-kind` | an Azure resource on an endpoint of kind `openai`, or the other way round |
| `example-address` | (warning) the address of an example, such as `contoso` |
| `header-refused` | a header that HTTP does not take, or that is not the profile's to write |
| `proxy-in-clear` | a proxy before an endpoint, or a tool, that is spoken to without TLS |
| `odd-character` | a name, address or path with invisible characters, spaces at its ends, or quotes around it |
| `azure-preview` | (warning) the preview protocol, which is on its way out |
| `reasoning-unsupported` | `reasoning` on a model known to have none |
| `both-modalities` | text and audio both |
| `turn-detection-unsupported` | turn detection with a transcription model that refuses it |
| `entra-endpoint` | Entra ID on OpenAI or on the local endpoint |
| `entra-fields` | an Entra credential without the fields that it needs |
| `plain-http` | `http://` to another machine without `insecure`, of a tool too |
| `insecure` | (warning) `http://` to another machine with `insecure`, or `insecure` without need |
| `no-credential` | (warning) OpenAI or Azure without any credential |
| `stdout-twice` | two outputs on standard output |
| `outputs-share-file` | two outputs, or an output and the journal, the report or the state, with one path |
| `tools-unanswered` | (warning) functions that the model may call, where nothing can answer it |
| `question-unasked` | a question after a document where no document is read |
| `no-first-response` | (warning) `until = "response-done"` where no response ever comes |
| `cost-without-prices` | `max_cost` where nothing has a price |
| `minutes-without-price` | (warning) `max_cost` of a Live session whose minutes have no price |
| `control-path` | a control socket whose path has more than 107 bytes |
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
| `variable-name` | a variable with a name that texts or paths have already |
| `variable-value` | a value that the variable's own pattern or bounds refuse |
| `variable-undeclared` | `{{name}}` in a text, or a value that is given, where no variable has the name |
| `unknown-placeholder` | `{name}` in a path where nothing has the name, or where the variable is secret |
| `greeting-words` | a greeting without words, with two kinds of them, or a recording without its `text` |
| `greeting-unsupported` | a greeting of a session that says nothing, or a recording of one that answers in text |
| `greeting-after` | a greeting that waits for speech where nothing hears any |
| `tool-twice` | two tools with one name, or one with the name of a tool that is built in |
| `tools-unsupported` | tools in a session that has no model to call them; a Live session has one where it delegates |
| `delegate-unsupported` | `[delegate]` where no model delegates to the client |
| `delegation-unanswered` | (warning) a Live model that delegates to a client who does nothing |
| `tool-undescribed` | (warning) a tool of which the model learns only the name |
| `tool-schema` | parameters that are no JSON Schema of an object, or that refer to what is not in them |
| `mcp-server-unnamed` | an MCP server without a name |
| `mcp-server-twice` | two MCP servers with one name, or one with the label of a server in `session.tools` |
| `mcp-server-limits` | (warning) limits of calls that the endpoint makes |
| `approval-unanswered` | (warning) an approval that nobody can give |
| `idle-unsupported` | `[idle]` in a session that says nothing |
| `idle-cut-short` | `run.limits.max_idle_s` that ends the session before `[idle]` says anything |
| `model-ending` | (warning) a model that is shut down within 180 days; on `azure` a name says nothing of the model |
| `model-ended` | (warning; an error of `check` on OpenAI's own endpoint) a model that was shut down |
| `model-session` | a model in a session of a kind that it does not run, on OpenAI |
| `model-lacks` | a field of `transcription` that its model does not take, on OpenAI |
| `voice-unsupported` | fable, nova or onyx on OpenAI or Azure, which have no such voices in a session |
| `connector-refused` | `connector_id` beside a model released after 2026-09-01 |
| `resume-placeholder` | `{run_id}` or `{started}` in the path of a state, which no later run would find |
| `resume-unsupported` | `[run.resume]` in a session that is no conversation by items, which alone can go on |
| `resume-without-history` | `[run.resume]` where no history is replayed |
| `report-nowhere` | a report without `path` and `webhook`, or a spool without a webhook |
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from runner.profile import (
    rules_address,
    rules_audio,
    rules_call,
    rules_connection,
    rules_mcp,
    rules_models,
    rules_names,
    rules_report,
    rules_resume,
    rules_run,
    rules_session,
    rules_tools,
    rules_variables,
)
from runner.profile.keys import Key
from runner.profile.merge import Owners
from runner.profile.problems import Place, Problem, problem_at
from runner.profile.tables import Finding, Part, Tables, valid_tables
from runner.settings.profile import Profile

WARNINGS = frozenset(
    {
        "approval-unanswered",
        "azure-preview",
        "delegation-unanswered",
        "example-address",
        "insecure",
        "mcp-server-limits",
        "minutes-without-price",
        "model-ended",
        "model-ending",
        "no-credential",
        "no-first-response",
        "retry-without-history",
        "text-into-audio",
        "tool-undescribed",
        "tools-unanswered",
        "transcript-one-sided",
    }
)
"""The codes that warn; all others refuse the profile."""


class Rule(NamedTuple):
    """One rule: its code, and the check that yields what breaks it."""

    code: str
    check: Callable[[Tables], Iterator[Finding]]


def broken_rules(
    profile: Profile | None, tree: dict[str, Any], wrong: Collection[Key], owners: Owners
) -> list[tuple[Key, Problem, bool]]:
    """What breaks a rule, as key, problem and whether it only warns; no rule judges by a value that is wrong."""
    tables = valid_tables(profile, tree, wrong)
    found: list[tuple[Key, Problem, bool]] = []
    for rule in RULES:
        for key, problem, hint, part in _findings(rule, tables, is_whole=profile is not None):
            place = _place(key, part, owners)
            found.append((key, problem_at(place, key, problem, hint, code=rule.code), rule.code in WARNINGS))
    return found


def _findings(rule: Rule, tables: Tables, *, is_whole: bool) -> list[Finding]:
    try:
        return list(rule.check(tables))
    except AttributeError:
        if is_whole:
            raise
        return []  # it asked for a value that is wrong


def _place(key: Key, part: Part, owners: Owners) -> Place:
    nearest = key
    while nearest not in owners:
        nearest = nearest[:-1]
    return owners[nearest].place(nearest, part if nearest == key else "table")


RULES = (
    Rule("temperature-removed", rules_session.temperature_removed),
    Rule("preview-field", rules_session.preview_field),
    Rule("extra-known", rules_session.extra_known),
    Rule("model-missing", rules_connection.model_missing),
    Rule("model-with-transcription", rules_connection.model_with_transcription),
    Rule("model-with-call", rules_connection.model_with_call),
    Rule("translation-unsupported", rules_connection.translation_unsupported),
    Rule("live-unsupported", rules_connection.live_unsupported),
    Rule("model-twice", rules_connection.model_twice),
    Rule("azure-api-version", rules_connection.azure_api_version),
    Rule("azure-base-url", rules_address.azure_base_url),
    Rule("base-url-path", rules_address.base_url_path),
    Rule("base-url-query", rules_address.base_url_query),
    Rule("query-parameter", rules_address.query_parameter),
    Rule("endpoint-kind", rules_address.endpoint_kind),
    Rule("example-address", rules_address.example_address),
    Rule("header-refused", rules_address.header_refused),
    Rule("proxy-in-clear", rules_address.proxy_in_clear),
    Rule("odd-character", rules_names.odd_character),
    Rule("azure-preview", rules_connection.azure_preview),
    Rule("reasoning-unsupported", rules_session.reasoning_unsupported),
    Rule("both-modalities", rules_session.both_modalities),
    Rule("turn-detection-unsupported", rules_session.turn_detection_unsupported),
    Rule("entra-endpoint", rules_connection.entra_endpoint),
    Rule("entra-fields", rules_connection.entra_fields),
    Rule("plain-http", rules_connection.plain_http),
    Rule("insecure", rules_connection.insecure),
    Rule("no-credential", rules_connection.no_credential),
    Rule("stdout-twice", rules_session.stdout_twice),
    Rule("outputs-share-file", rules_run.outputs_share_file),
    Rule("tools-unanswered", rules_session.tools_unanswered),
    Rule("question-unasked", rules_session.question_unasked),
    Rule("no-first-response", rules_session.no_first_response),
    Rule("cost-without-prices", rules_run.cost_without_prices),
    Rule("minutes-without-price", rules_run.minutes_without_price),
    Rule("control-path", rules_run.control_path),
    Rule("sessions-share-file", rules_run.sessions_share_file),
    Rule("reconnect-delays", rules_run.reconnect_delays),
    Rule("classify-sign", rules_run.classify_sign),
    Rule("retry-without-history", rules_run.retry_without_history),
    Rule("text-into-audio", rules_audio.text_into_audio),
    Rule("audio-only-key", rules_audio.audio_only_key),
    Rule("nothing-to-hear", rules_audio.nothing_to_hear),
    Rule("nothing-to-record", rules_audio.nothing_to_record),
    Rule("transcript-one-sided", rules_audio.transcript_one_sided),
    Rule("push-to-talk-turns", rules_audio.push_to_talk_turns),
    Rule("speaker-shared", rules_audio.speaker_shared),
    Rule("samples-mixed", rules_audio.samples_mixed),
    Rule("variable-name", rules_variables.variable_name),
    Rule("variable-value", rules_variables.variable_value),
    Rule("variable-undeclared", rules_variables.variable_undeclared),
    Rule("unknown-placeholder", rules_variables.unknown_placeholder),
    Rule("greeting-words", rules_call.greeting_words),
    Rule("greeting-unsupported", rules_call.greeting_unsupported),
    Rule("greeting-after", rules_call.greeting_after),
    Rule("tool-twice", rules_tools.tool_twice),
    Rule("tools-unsupported", rules_tools.tools_unsupported),
    Rule("delegate-unsupported", rules_tools.delegate_unsupported),
    Rule("delegation-unanswered", rules_tools.delegation_unanswered),
    Rule("tool-undescribed", rules_tools.tool_undescribed),
    Rule("tool-schema", rules_tools.tool_schema),
    Rule("plain-http", rules_tools.tool_in_clear),
    Rule("proxy-in-clear", rules_tools.tool_proxy_in_clear),
    Rule("header-refused", rules_tools.tool_header_refused),
    Rule("mcp-server-unnamed", rules_mcp.mcp_server_unnamed),
    Rule("mcp-server-twice", rules_mcp.mcp_server_twice),
    Rule("mcp-server-limits", rules_mcp.mcp_server_limits),
    Rule("approval-unanswered", rules_tools.approval_unanswered),
    Rule("idle-unsupported", rules_call.idle_unsupported),
    Rule("idle-cut-short", rules_call.idle_cut_short),
    Rule("model-ending", rules_models.model_ending),
    Rule("model-ended", rules_models.model_ended),
    Rule("model-session", rules_models.model_session),
    Rule("model-lacks", rules_models.model_lacks),
    Rule("voice-unsupported", rules_models.voice_unsupported),
    Rule("connector-refused", rules_models.connector_refused),
    Rule("resume-placeholder", rules_resume.resume_placeholder),
    Rule("resume-unsupported", rules_resume.resume_unsupported),
    Rule("resume-without-history", rules_resume.resume_without_history),
    Rule("report-nowhere", rules_report.report_nowhere),
    Rule("plain-http", rules_report.webhook_in_clear),
)
