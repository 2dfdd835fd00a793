"""Each rule has a profile that breaks it, and a code."""

from datetime import date
from typing import Any

import pytest

from runner.profile import ProfileProblems, known_models
from runner.profile.rules import RULES, WARNINGS
from tests.profile.conftest import OPENAI

AZURE = OPENAI.replace('"openai"', '"azure"\nbase_url = "https://x.openai.azure.com"')
NO_MODEL = OPENAI.partition("[model]")[0]
TRANSCRIPTION = '[session]\ntype = "transcription"\n'
WHISPER = '[session.audio.input]\ntranscription = { model = "gpt-realtime-whisper" }\n'
BASE = OPENAI.replace('openai"', 'openai"\nbase_url = "%s"')
CUSTOM = 'version = 1\n[endpoint]\nkind = "custom"\nbase_url = "%s"\n'
PREVIEW = AZURE.replace("[model]", 'api_version = "2025-04-01-preview"\n[model]')

CHAT = 'version = 1\n[endpoint]\nkind = "local"\nbrain = { kind = "chat", model = "m", base_url = "%s" }\n'

TRANSLATION = '[session]\ntype = "translation"\n'
LIVE = '[session]\ntype = "live"\n'
INTERPRETER = OPENAI.replace("realtime-2", "realtime-translate") + TRANSLATION
DECIDES = '[session.delegation]\ntype = "responses"\nresponses = { model = "m" }\n[run.limits]\nmax_cost = 1\n'
FILE = '[input]\nkind = "file"\npath = "talk.wav"\n'
BY_HAND = NO_MODEL + TRANSCRIPTION + FILE
MICROPHONE = '[input]\nkind = "microphone"\n'
SPEAKER = '[[outputs]]\nkind = "speaker"\n'
TRANSCRIPT = '[[outputs]]\nkind = "transcript"\npath = "said.jsonl"\n'
WAV = 'kind = "audio"\npath = "{session}.wav"\n'
TOOLS = '[[session.tools]]\ntype = "function"\nname = "light"\n'
GREETING = '[greeting]\ntext = "Hello."\n'
CLIENT = 'name = "a"\ndescription = "b"\nrun = { kind = "client" }\n'
EVENTS_IN = '[input]\nkind = "stdin"\nformat = "events"\n'
ASKED = 'name = "a"\ndescription = "b"\nrun = { kind = "http", url = "%s", headers = { X-A = "b" } }\n'
SERVER = '[[mcp_servers]]\nname = "s"\nrun = { kind = "hosted", server_url = "https://example.org" }\n'
HEARD = "[session.audio.input]\ntranscription = { %s }\n"
HOOK = '[report.webhook]\nurl = "%s"\nsecret = { env = "HOOK_SECRET" }\n'
MANY = "[run]\nsessions = 2\n"
OUTPUT = '[[outputs]]\nkind = "events"\npath = "%s"\n'

BROKEN = [
    (OPENAI + "[session]\ntemperature = 1\n", "temperature-removed"),
    (OPENAI + "[session.extra]\ntemperature = 1\n", "temperature-removed"),
    (PREVIEW + "[session]\ntemperature = 1\n", "temperature-removed"),
    (OPENAI + '[session]\nvoice = "marin"\n', "preview-field"),
    (OPENAI + '[session.extra]\nmodalities = ["text"]\n', "preview-field"),
    (NO_MODEL, "model-missing"),
    (OPENAI + TRANSCRIPTION, "model-with-transcription"),
    (OPENAI.replace("[model]", 'call_id = "rtc_1"\n[model]'), "model-with-call"),
    (OPENAI + '[session]\nmodel = "other"\n', "model-twice"),
    (AZURE.replace("[model]", 'api_version = "2025-04-01"\n[model]'), "azure-api-version"),
    (AZURE.replace("azure.com", "azure.com/openai/v1"), "azure-base-url"),
    *((AZURE.replace("azure.com", f"azure.com{rest}"), "base-url-query")
      for rest in ("?api-version=2024-10-01-preview&deployment=d", "/?x", "#top")),
    *((CUSTOM % f"http://127.0.0.1:8000{path}", "base-url-path")
      for path in ("/v1/realtime", "/v1/realtime/", "/realtime", "/v1/chat/completions", "/v1/realtime/translations",
                   "/openai/v1/responses")),
    (CUSTOM % "http://127.0.0.1:8000/v1?x=1", "base-url-query"),
    *((BASE % f"https://{base}", "base-url-path")
      for base in ("api.openai.com", "api.openai.com/", "eu.api.openai.com/v2", "api.openai.com/v1/realtime")),
    (CUSTOM % "https://api.openai.com", "base-url-path"),
    *((OPENAI.replace("[model]", f'query = {{ {name} = "x" }}\n[model]'), "query-parameter")
      for name in ("model", "deployment", '"api-version"', '"API-Version"', "intent", "call_id")),
    (AZURE.replace("[model]", 'query = { deployment = "d" }\n[model]'), "query-parameter"),
    (BASE % "https://x.openai.azure.com/openai/v1", "endpoint-kind"),
    (BASE.replace("openai", "azure") % "https://api.openai.com", "endpoint-kind"),
    (AZURE.replace("//x.", "//contoso."), "example-address"),
    (CUSTOM % "https://gateway.example/v1", "example-address"),
    *((OPENAI.replace("[model]", f"{line}\n[model]"), "header-refused")
      for line in ('headers = { X-User = "Jörg" }', 'headers = { "Sec-WebSocket-Protocol" = "realtime" }',
                   'headers = { Host = "x" }', 'headers = { X-A = "a\\nb" }', 'headers = { X-A = " a" }',
                   'headers = { X-A = "a", x-a = "b" }', 'project = "Zürich"')),
    (CUSTOM % "http://127.0.0.1:8000/v1" + 'proxy = "http://127.0.0.1:3128"\n', "proxy-in-clear"),
    *((OPENAI.replace("gpt-realtime-2", name), "odd-character")
      for name in ("gpt-realtime ", " gpt-realtime", "gpt\u200brealtime", "gpt\u2010realtime", "gpt\u2013realtime",
                   '\\"gpt\\"',
                   "gpt\u00a0realtime", "gpt-realtime\\r", "'gpt-realtime'", "\u2018gpt\u2019", "gpt\u202erealtime")),
    *((OPENAI + f'[[outputs]]\nkind = "events"\npath = "{path}"\n', "odd-character")
      for path in ("a.jsonl ", "a\u200b.jsonl", "a\\u001b[2J", "\u201ca\u201d")),
    (CUSTOM % "http://127.0.0.1:8000/v1\u200b", "odd-character"),
    *((OPENAI + f"[session]\nextra = {extra}\n", "extra-known")
      for extra in ('{ instructions = "x" }', '{ audio = { output = { voice = "marin", new = 1 } } }',
                    '{ truncation = "auto" }', '{ audio = { input = { turn_detection = { type = "server_vad" } } } }')),
    (PREVIEW, "azure-preview"),
    (OPENAI.replace("me-2", "me-1.5") + '[session]\nreasoning = { effort = "low" }\n', "reasoning-unsupported"),
    (OPENAI + '[session]\noutput_modalities = ["text", "audio"]\n', "both-modalities"),
    (NO_MODEL + TRANSCRIPTION + WHISPER, "turn-detection-unsupported"),
    (OPENAI + WHISPER + 'turn_detection = { type = "server_vad" }\n', "turn-detection-unsupported"),
    (OPENAI + '[auth]\nkind = "entra"\n', "entra-endpoint"),
    (AZURE + '[auth]\nkind = "entra"\ncredential = "client-secret"\n', "entra-fields"),
    (CUSTOM % "http://example.com/v1", "plain-http"),
    (CUSTOM % "http://localhost.example.com/v1", "plain-http"),
    (CHAT % "http://example.com/v1", "plain-http"),
    (CHAT % "https://example.com/v1/chat/completions", "base-url-path"),
    (CHAT % "https://example.com/v1?key=1", "base-url-query"),
    (CUSTOM % "http://[::1234]/v1", "plain-http"),
    (CUSTOM % "http://gateway:4000/v1" + "insecure = true\n", "insecure"),
    (CUSTOM % "http://10.0.0.7/v1" + "insecure = true\n", "insecure"),
    (CUSTOM % "https://gw.test/v1" + "insecure = true\n", "insecure"),
    (CUSTOM % "http://localhost:4000/v1" + "insecure = true\n", "insecure"),
    (CUSTOM % "http://example.com/v1" + "insecure = false\n", "plain-http"),
    (OPENAI + '[auth]\nkind = "none"\n', "no-credential"),
    (OPENAI + '[[outputs]]\nkind = "stdout"\n' * 2, "stdout-twice"),
    (OPENAI + '[input]\nkind = "none"\n[run]\nuntil = "response-done"\n', "no-first-response"),
    (OPENAI + "[run.limits]\nmax_cost = 1\n", "cost-without-prices"),
    (OPENAI + "[batch]\nmax_cost = 1\n", "cost-without-prices"),
    (OPENAI + "[run.limits]\nmax_cost = 1\nprices = { input_text = 0 }\n", "cost-without-prices"),
    (OPENAI + "[run.limits]\nmax_cost = 1\nprices = { live_minute = 1 }\n", "cost-without-prices"),
    (OPENAI + OUTPUT % "a.jsonl" + OUTPUT % "./a.jsonl", "outputs-share-file"),
    (OPENAI + OUTPUT % "x/{session}.jsonl" + OUTPUT % "x//{session}.jsonl", "outputs-share-file"),
    (OPENAI + TRANSCRIPT + OUTPUT % "said.jsonl", "outputs-share-file"),
    (OPENAI + OUTPUT % "a.jsonl" + '[journal]\npath = "a.jsonl"\n', "outputs-share-file"),
    (OPENAI + OUTPUT % "b/../a.jsonl" + '[journal]\npath = "a.jsonl"\n', "outputs-share-file"),
    (OPENAI + TOOLS, "tools-unanswered"),
    (OPENAI + FILE + TOOLS, "tools-unanswered"),
    (OPENAI + MICROPHONE + TOOLS, "tools-unanswered"),
    (OPENAI + '[input]\nkind = "none"\n' + TOOLS, "tools-unanswered"),
    (OPENAI + "[[tools]]\n" + CLIENT, "tools-unanswered"),
    (OPENAI + EVENTS_IN + f"[[tools]]\n{CLIENT}" * 2, "tool-twice"),
    (OPENAI + EVENTS_IN + f"[[tools]]\n{CLIENT}" + TOOLS.replace("light", "a"), "tool-twice"),
    (OPENAI + EVENTS_IN + "[[tools]]\n" + CLIENT.replace('"a"', '"end_session"') + "[run.tools]\nhang_up = true\n",
     "tool-twice"),
    (NO_MODEL + TRANSCRIPTION + FILE + f"[[tools]]\n{CLIENT}", "tools-unsupported"),
    (OPENAI + EVENTS_IN + "[[tools]]\n" + CLIENT.replace('"b"', '""'), "tool-undescribed"),
    *((OPENAI + EVENTS_IN + f"[[tools]]\n{CLIENT}parameters = {schema}\n", "tool-schema")
      for schema in ("{}", '{ type = "string" }', '{ type = "object", properties = { a = { type = "strin" } } }',
                     '{ type = "object", required = "a" }', '{ type = "object", "$ref" = "#/$defs/none" }',
                     '{ type = "object", properties = { a = { "$ref" = "https://example.org/a.json" } } }')),
    (OPENAI + "[[tools]]\n" + ASKED % "http://example.org/a", "plain-http"),
    (OPENAI + "[[tools]]\n" + (ASKED % "http://[::1]/a").replace("url", 'proxy = "http://b", url'), "proxy-in-clear"),
    *((OPENAI + "[[tools]]\n" + (ASKED % "https://example.org").replace('X-A = "b"', header), "header-refused")
      for header in ('Content-Length = "1"', 'X-A = "a\\nb"')),
    (OPENAI + SERVER.replace('name = "s"', ""), "mcp-server-unnamed"),
    (OPENAI + SERVER * 2, "mcp-server-twice"),
    (OPENAI + '[[session.tools]]\ntype = "mcp"\nserver_label = "s"\nserver_url = "https://a.b"\n' + SERVER,
     "mcp-server-twice"),
    (OPENAI + SERVER + "timeout_s = 1\n", "mcp-server-limits"),
    *((OPENAI + given + "[[tools]]\n" + ASKED % "https://example.org" + 'approval = "always"\n', "approval-unanswered")
      for given in (MICROPHONE, EVENTS_IN, '[input]\nkind = "none"\n')),
    (OPENAI + f'[control]\npath = "/{"x" * 94}/{{run_id}}"\n', "control-path"),
    (OPENAI + MANY + OUTPUT % "{profile}-{started}.jsonl", "sessions-share-file"),
    (OPENAI + MANY + '[journal]\npath = "journal.jsonl"\n', "sessions-share-file"),
    (OPENAI + "[run.reconnect]\ninitial_delay_s = 3\nmax_delay_s = 2\n", "reconnect-delays"),
    (OPENAI + "[run.reconnect]\nmax_delay_s = 0.1\n", "reconnect-delays"),
    (OPENAI + "[run.reconnect]\ninitial_delay_s = 31\n", "reconnect-delays"),
    *((OPENAI + f'[run.reconnect.classify]\n"{sign}" = "hopeless"\n', "classify-sign")
      for sign in ("399", "600", "999", "5000", "0500", "10000", "1008x", "-1", "_")),
    (OPENAI + "[run.history]\nmax_items = 0\n", "retry-without-history"),
    (OPENAI + "[run.history]\nmax_tokens = 0\n", "retry-without-history"),
    (NO_MODEL + TRANSLATION + FILE, "model-missing"),
    (AZURE + TRANSLATION + FILE, "translation-unsupported"),
    (NO_MODEL.replace('"openai"', '"openai"\ncall_id = "rtc_1"') + TRANSLATION + FILE, "translation-unsupported"),
    (NO_MODEL + LIVE + FILE, "model-missing"),
    (OPENAI.replace("gpt-realtime-2", "gpt-live-1.1") + LIVE + FILE, "delegation-unanswered"),
    (OPENAI.replace("gpt-realtime-2", "gpt-live-1.1") + LIVE + FILE + DECIDES + "prices = { input_text = 1 }\n",
     "minutes-without-price"),
    (OPENAI + '[delegate]\nrun = { kind = "command", argv = ["true"] }\n', "delegate-unsupported"),
    (NO_MODEL.replace('"openai"', '"openai"\ncall_id = "rtc_1"') + LIVE + FILE, "live-unsupported"),
    (OPENAI.replace("gpt-realtime-2", "gpt-live-1.1") + LIVE + "[run.tools]\nhang_up = true\n", "tools-unsupported"),
    (NO_MODEL + TRANSCRIPTION + FILE + '[run]\nuntil = "response-done"\n', "no-first-response"),
    (NO_MODEL + TRANSCRIPTION, "text-into-audio"),
    (INTERPRETER, "text-into-audio"),
    (OPENAI + '[input]\nkind = "stdin"\nrate = 8000\n', "audio-only-key"),
    (OPENAI + '[input]\nkind = "stdin"\nquestion = "Well?"\n', "question-unasked"),
    (NO_MODEL + TRANSCRIPTION + '[input]\nkind = "question"\nquestion = "Well?"\n', "text-into-audio"),
    (OPENAI + '[input]\nkind = "stdin"\nformat = "events"\nmute_while_playing = true\n', "audio-only-key"),
    (OPENAI + '[[outputs]]\nkind = "stdout"\npace = "fast"\n', "audio-only-key"),
    *((OPENAI + '[session]\noutput_modalities = ["text"]\n[[outputs]]\n' + each, "nothing-to-hear")
      for each in ('kind = "speaker"\n', 'kind = "stdout"\nformat = "audio"\n', WAV)),
    (NO_MODEL + TRANSCRIPTION + FILE + "[[outputs]]\n" + WAV, "nothing-to-hear"),
    (OPENAI + "[[outputs]]\n" + WAV + 'track = "input"\n', "nothing-to-record"),
    (OPENAI + MICROPHONE + TRANSCRIPT, "transcript-one-sided"),
    (OPENAI + MICROPHONE + "push_to_talk = true\n", "push-to-talk-turns"),
    (NO_MODEL + TRANSCRIPTION + MICROPHONE + "push_to_talk = true\n", "push-to-talk-turns"),
    (OPENAI + SPEAKER * 2, "speaker-shared"),
    (OPENAI + MANY + SPEAKER, "speaker-shared"),
    (OPENAI + MANY + '[[outputs]]\nkind = "stdout"\nformat = "audio"\n', "samples-mixed"),
    *((OPENAI + f"[variables]\n{name} = {{}}\n", "variable-name") for name in ("started", "profile", "date")),
    (OPENAI + '[variables]\na = { default = "b", pattern = "a" }\n', "variable-value"),
    *((OPENAI + f'[variables]\ncustomer = {{}}\n[session]\ninstructions = "Hi {{{{{name}}}}}"\n', "variable-undeclared")
      for name in ("custmer", "Customer", " customer.name ", "session", "customer-1")),
    (OPENAI + TOOLS.replace("[[s", '[input]\nkind = "stdin"\nformat = "events"\n[[s') + 'description = "{{x}}"\n',
     "variable-undeclared"),
    (OPENAI + "[variables]\na = { min_length = 5, max_length = 2 }\n", "variable-value"),
    (OPENAI + OUTPUT % "{custmer}.jsonl" + "[variables]\ncustomer = {}\n", "unknown-placeholder"),
    (OPENAI + OUTPUT % "{date}.jsonl", "unknown-placeholder"),
    (OPENAI + '[journal]\npath = "{pin}"\n[variables]\npin = { secret = true }\n', "unknown-placeholder"),
    *((OPENAI + f"[greeting]\n{lines}\n", "greeting-words")
      for lines in ("interruptible = false", 'text = "a"\nprompt = "b"', 'audio = "a.wav"')),
    (NO_MODEL + TRANSCRIPTION + FILE + GREETING, "greeting-unsupported"),
    (OPENAI + GREETING + 'audio = "a.wav"\n[session]\noutput_modalities = ["text"]\n', "greeting-unsupported"),
    (OPENAI + GREETING + 'after = "user"\n', "greeting-after"),
    (OPENAI + GREETING + 'after = "user-audio"\n' + FILE + '[session.audio.input]\nturn_detection = "none"\n',
     "greeting-after"),
    (NO_MODEL + TRANSCRIPTION + FILE + "[idle]\nafter_s = 1\n", "idle-unsupported"),
    (OPENAI + "[idle]\nafter_s = 20\n[run.limits]\nmax_idle_s = 20\n", "idle-cut-short"),
    (OPENAI.replace("realtime-2", "realtime"), "model-ended"),
    (OPENAI + HEARD % 'model = "whisper-1"', "model-ending"),
    (OPENAI.replace("realtime-2", "live-1.1"), "model-session"),
    (OPENAI + TRANSLATION + FILE, "model-session"),
    (OPENAI + HEARD % 'model = "gpt-realtime-2.1"', "model-session"),
    *((OPENAI + HEARD % f'model = "{model}", {field}', "model-lacks")
      for model, field in (("gpt-transcribe", 'delay = "low"'), ("gpt-live-transcribe", 'delay = "low"'))),
    *((BY_HAND + HEARD % f'model = "gpt-realtime-whisper", {field}' + 'turn_detection = "none"\n', "model-lacks")
      for field in ('keywords = ["a"]', 'languages = ["en"]', 'prompt = "a"')),
    (BY_HAND + HEARD % 'model = "gpt-live-transcribe"' + 'turn_detection = { type = "server_vad" }\n',
     "turn-detection-unsupported"),
    *((OPENAI + f'[session.audio.output]\nvoice = "{voice}"\n', "voice-unsupported")
      for voice in ("fable", "onyx", "nova")),
    (CUSTOM % "https://gw.test/v1" + '[model]\nname = "gpt-live-1.1"\n[[session.tools]]\ntype = "mcp"\n'
     'server_label = "s"\nconnector_id = "connector_gmail"\n', "connector-refused"),
    (OPENAI + '[run.resume]\npath = "{started}"\n', "resume-placeholder"),
    (OPENAI + '[run.resume]\npath = "a/{run_id}"\n', "resume-placeholder"),
    (BY_HAND + '[run.resume]\npath = "a"\n', "resume-unsupported"),
    (OPENAI + '[run.resume]\npath = "a"\n[run.history]\nmax_items = 0\n', "resume-without-history"),
    (OPENAI + '[run]\nsessions = 2\nresume = { path = "a" }\n', "sessions-share-file"),
    (OPENAI + '[journal]\npath = "a"\n[run.resume]\npath = "./a"\n', "outputs-share-file"),
    (OPENAI + "[report]\nmax_spool_bytes = 2_000_000\n", "report-nowhere"),
    (OPENAI + '[report]\npath = "a"\nspool = "b"\n', "report-nowhere"),
    (OPENAI + HOOK % "http://crm.test/hook", "plain-http"),
]  # fmt: skip
FINE = [
    OPENAI + HOOK % "https://crm.test/hook" + '[report]\nspool = "b"\n',
    OPENAI + HOOK % "http://crm.test/hook" + "insecure = true\n",
    NO_MODEL + TRANSCRIPTION + FILE + HEARD % 'model = "gpt-live-transcribe", keywords = ["a"], languages = ["en"]',
    CUSTOM % "http://127.0.0.1:8000/v1" + HEARD % 'model = "gpt-transcribe", delay = "low"',
    AZURE + '[session.audio.input]\ntranscription = { model = "whisper-1", keywords = ["a"] }\n',
    OPENAI + '[idle]\nafter_s = 20\ntexts = ["Hello?"]\n[run.limits]\nmax_idle_s = 20.1\n',
    OPENAI + GREETING + 'audio = "a.wav"\nafter = "user"\n' + FILE,
    OPENAI + '[variables]\na = {}\n[greeting]\nprompt = "Greet {{a}}."\n',
    OPENAI + "[[tools]]\n" + ASKED % "https://example.org" + 'approval = "always"\nparameters = { type = "object", '
    '"$defs" = { a = { type = "string" } }, properties = { a = { "$ref" = "#/$defs/a" } } }\n',
    OPENAI + MICROPHONE + "[[tools]]\n" + ASKED % "https://example.org" + 'approval = "always"\n[control]\n',
    OPENAI + "[[tools]]\n" + (ASKED % "http://example.org").replace("url", "insecure = true, url"),
    OPENAI + EVENTS_IN + "[[tools]]\n" + CLIENT,
    OPENAI + OUTPUT % "{a_1}-{started}" + '[variables]\na_1 = { required = true, pattern = "x" }\n[session]\n'
    'instructions = "{{a_1}} {{ date }} {{time}} {{profile}} {{}} {{two words}} {{\\"json\\": 1}} {a_2}"\n',
    OPENAI + MICROPHONE + TRANSCRIPT + '[session.audio.input]\ntranscription = { model = "gpt-transcribe" }\n',
    OPENAI + MICROPHONE + 'push_to_talk = true\n[session.audio.input]\nturn_detection = "none"\n' + SPEAKER,
    INTERPRETER + FILE + "[[outputs]]\n" + WAV + 'track = "both"\n',
    OPENAI + '[input]\nkind = "stdin"\nformat = "audio"\nrate = 8000\n[[outputs]]\nkind = "stdout"\nformat = "audio"\n',
    PREVIEW + "[session.extra]\ntemperature = 1\n",
    NO_MODEL + TRANSCRIPTION + WHISPER + 'turn_detection = "none"\n' + FILE,
    NO_MODEL.replace('"openai"', '"openai"\ncall_id = "rtc_1"'),
    OPENAI + '[session]\nreasoning = { effort = "low" }\n',
    AZURE.replace("gpt-realtime-2", "our-own") + '[session]\nreasoning = { effort = "low" }\n',
    CUSTOM % "http://127.0.0.1:8000/v1",
    *(
        CUSTOM % f"{base}"
        for base in (
            "ws://127.0.0.1:8000/v1",
            "wss://gw.test/v1",
            "WSS://gw.test",
            "https://gw.test/realtime-proxy/v1",
            "https://gw.test/x/",
        )
    ),
    *(
        BASE % base
        for base in ("https://api.openai.com/v1/", "wss://eu.api.openai.com/v1", "https://proxy.test/openai")
    ),
    *(AZURE.replace("azure.com", f"azure.com{rest}") for rest in ("/", ":443", ":8443")),
    CUSTOM % "http://127.0.0.1:8000/v1" + 'query = { model = "of-the-gateway", tag = "a b" }\n',
    CUSTOM % "https://gw.test/v1" + 'proxy = "http://127.0.0.1:3128"\nheaders = { X-A = "a b", X-B = "" }\n',
    OPENAI.replace("gpt-realtime-2", "our model/7:b_x@2.1") + '[session]\ninstructions = " \\"Hi\\"\\n\u2013 \u200d"\n',
    OPENAI + OUTPUT % 'out/{started} é "quoted" \u2013 x.jsonl'.replace('"', "'"),
    OPENAI + '[auth]\nkind = "api-key"\napi_key = { command = ["sh", "-c", "\\n  pass show \\"x\\"\\n"] }\n',
    OPENAI + '[session.extra]\nnew = 1\nreasoning = { effort = "ultra" }\n'
    'audio = { input = { format = { type = "audio/pcm", rate = 16000 } } }\n',
    CUSTOM % "http://[::1]:8000/v1",
    CUSTOM % "http://api.localhost:8000/v1",
    OPENAI + '[input]\nkind = "none"\n[run]\nuntil = "input-end"\n',
    OPENAI + "[run.limits]\nmax_cost = 1\nprices = { transcription_minute = 0.01 }\n",
    OPENAI + OUTPUT % "events.jsonl",
    OPENAI + OUTPUT % "events.jsonl" + OUTPUT % "{session}.jsonl" + '[journal]\npath = "journal.jsonl"\n',
    OPENAI + OUTPUT % "/dev/null" * 2,
    OPENAI + '[input]\nkind = "stdin"\nformat = "events"\n' + TOOLS,
    OPENAI + '[session]\ntool_choice = "none"\n' + TOOLS,
    OPENAI + '[[session.tools]]\ntype = "mcp"\nserver_label = "s"\nserver_url = "https://s.example"\n',
    OPENAI + MANY + OUTPUT % "{session}.jsonl" + OUTPUT % "{run_id}.jsonl" + '[[outputs]]\nkind = "stdout"\n',
    OPENAI + MANY + '[journal]\npath = "{session}.jsonl"\n',
    OPENAI + "[run.reconnect]\ninitial_delay_s = 3\nmax_delay_s = 3\n",
    *(
        OPENAI + f'[run.reconnect.classify]\n"{sign}" = "temporary"\n'
        for sign in ("400", "599", "1000", "4999", "server_error", "DeploymentNotFound")
    ),
    OPENAI + '[run]\nreconnect = { response_in_flight = "drop" }\nhistory = { max_items = 0 }\n',
    OPENAI + "[run]\nreconnect = { max_attempts = 0 }\nhistory = { max_items = 0 }\n",
]


@pytest.fixture(autouse=True)
def _a_certain_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge models by a day between two shutdowns."""
    monkeypatch.setattr(known_models, "today", lambda: date(2027, 2, 1))


@pytest.mark.parametrize(("text", "code"), BROKEN)
def test_what_breaks_a_rule_gets_its_code(load: Any, text: str, code: str) -> None:
    """And nothing else: one cause is one problem."""
    if code in WARNINGS:
        found = load(text).warnings
    else:
        with pytest.raises(ProfileProblems) as raised:
            load(text)
        found = list(raised.value.problems)

    assert {each.code for each in found} == {code}
    assert all(each.line > 0 for each in found)


@pytest.mark.parametrize("text", FINE)
def test_what_keeps_the_rules_loads(load: Any, text: str) -> None:
    """The near misses of the rules are fine."""
    assert [each for each in load(text).warnings if each.code != "azure-preview"] == []


def test_every_rule_is_tried() -> None:
    """A rule without a profile that breaks it is no rule."""
    assert {rule.code for rule in RULES} == {code for _, code in BROKEN}


def test_a_hint_says_what_to_write(load: Any) -> None:
    """The whole value, with what was right in the given one."""
    for text, hint in (
        (AZURE.replace("azure.com", "azure.com:8443/openai"), 'write base_url = "https://x.openai.azure.com:8443"'),
        (CUSTOM % "wss://gw.test/v1/realtime", 'write base_url = "https://gw.test/v1"'),
        (BASE % "https://eu.api.openai.com/", 'write base_url = "https://eu.api.openai.com/v1"'),
    ):
        with pytest.raises(ProfileProblems) as raised:
            load(text)
        assert raised.value.problems[0].hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (OPENAI + '[run]\ngrace_s = "10s"\n[run.limits]\nmax_cost = 1\n', {"invalid-value", "cost-without-prices"}),
        (OPENAI + '[[outputs]]\nkind = "stdout"\n[[outputs]]\nkind = "events"\n[[outputs]]\nkind = "stdout"\n',
         {"missing-key", "stdout-twice"}),
        (OPENAI + TRANSCRIPTION + "foo = 1\n" + FILE, {"unknown-key", "model-with-transcription"}),
        (NO_MODEL.replace("[endpoint]", "[endpoint]\nprxy = 1") + FILE, {"unknown-key", "model-missing"}),
        (AZURE.replace("[model]", 'api_version = "v1"\n[model]').replace("azure.com", "azure.com/openai"),
         {"invalid-value", "azure-base-url"}),
        (OPENAI + '[[outputs]]\nkind = "audio"\npath = "{x!r}"\n[session]\nmodel = "other"\ninclude = "x"\n',
         {"invalid-value", "model-twice"}),
        (OPENAI + MANY + "grace_s = -1\n" + OUTPUT % "a.jsonl" + SPEAKER + 'buffer_ms = "x"\n',
         {"invalid-value", "sessions-share-file", "speaker-shared"}),
        (OPENAI.replace("realtime-2", "live-1.1") + LIVE + '[session.delegation]\ntype = "responses"\nresponses = {}\n'
         '[greeting]\ntext = "Hi."\nafter = "user-audio"\n' + FILE, {"missing-key", "greeting-after"}),
    ],
)  # fmt: skip
def test_rules_hold_beside_problems_in_their_own_table(load: Any, text: str, codes: set[str]) -> None:
    """What is sound of a table is judged, so that one round tells all."""
    with pytest.raises(ProfileProblems) as raised:
        load(text)

    assert {each.code for each in raised.value.problems} == codes


@pytest.mark.parametrize(
    "text",
    [
        OPENAI + '[run.limits]\nmax_cost = 1\nprices = "x"\n',
        OPENAI + "[run.limits]\nmax_cost = 1\nprices = { input_text = -1 }\n",
        OPENAI + '[input]\nkind = "stdin"\nformat = "audo"\n[[outputs]]\n' + WAV + 'track = "input"\n',
        NO_MODEL + '[session]\ntype = "transcript"\n',
        NO_MODEL.replace("[endpoint]", '[endpoint]\ncall_id = "rtc/1"'),
        OPENAI + MANY.replace("2", '"2"') + OUTPUT % "a.jsonl",
    ],
)
def test_no_rule_judges_by_a_value_that_is_wrong(load: Any, text: str) -> None:
    """One cause is one problem."""
    with pytest.raises(ProfileProblems) as raised:
        load(text)

    assert len(raised.value.problems) == 1


def test_rules_hold_beside_problems_in_other_tables(load: Any) -> None:
    """A mistyped key elsewhere does not hide a broken rule."""
    with pytest.raises(ProfileProblems) as raised:
        load(OPENAI + '[auth]\nkind = "entra"\n[run]\ngrace = 1\n')

    assert {each.code for each in raised.value.problems} == {"entra-endpoint", "unknown-key"}


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('[[tools]]\nname = "a"\nrun = { kind = "client" }\nparameters = 3\n', "tools.0.parameters: must be a table"),
        ('[[tools]]\nname = []\nrun = { kind = "client" }\n', "tools.0.name: must be a text"),
        (f'[[tools]]\n{CLIENT}parameters = {{ type = "object", "$schema" = 5 }}\n', "must be the name of a dialect"),
        ("[[mcp_servers]]\nname = []\n", "mcp_servers.0.name: is missing"),
        ('[mcp_servers.a]\nname = "a"\n', "mcp_servers: must be an array"),
        (f"[[tools]]\n{CLIENT.replace('client', 'http')}", "tools.0.run.url: is missing"),
    ],
)
def test_what_is_wrong_in_itself_is_reported_beside_warnings(problems_of: Any, table: str, problem: str) -> None:
    """A warning about a table hides nothing within it."""
    assert any(problem in each for each in problems_of(OPENAI + table))
