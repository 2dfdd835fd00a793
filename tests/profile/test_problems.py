"""Every problem of a profile is told at once, with its place, and without any secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.cli.report import report
from runner.profile import ProfileProblems, load_profile
from tests.profile.conftest import OPENAI

SECRET = "sk-proj-abcdefghijklmnop"


def test_all_problems_come_at_once(problems_of: Any) -> None:
    """File, environment and flags, schema and rules: one run tells everything."""
    text = """\
version = 1
descripton = "typo"
[endpoint]
kind = "azuer"
[session]
temperature = 0.8
output_modalities = ["txt"]
[session.audio.input]
turn_detection = { type = "semantic_vad", eagernes = "auto" }
voice = "marin"
[[outputs]]
kind = "events"
"""

    assert problems_of(text, "run.grace=5", RT_RUN_RUN__GRACE_S="soon") == [
        "p.toml:2:1: descripton: unknown key; did you mean description?",
        'p.toml:4:8: endpoint.kind: must be "openai", "azure", "custom" or "local"; did you mean "azure"?',
        "p.toml:6:1: session.temperature: the current API has no temperature; remove it",
        'p.toml:7:22: session.output_modalities.0: must be "text" or "audio"; did you mean "text"?',
        "p.toml:9:43: session.audio.input.turn_detection.eagernes: unknown key; did you mean eagerness?",
        "p.toml:10:1: session.audio.input.voice: unknown key; it belongs in [session.audio.output]",
        "p.toml:11:1: outputs.0.path: is missing",
        "--set run.grace: unknown key; did you mean grace_s?",
        "RT_RUN_RUN__GRACE_S: run.grace_s: must be a number",
    ]


LLM = 'version = 1\n[endpoint]\nkind = "local"\nbrain = { kind = "llm", gguf = "small.gguf" }\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "p.toml:1:1: version: is missing; write `version = 1`"),
        (OPENAI + "[auth]\nkind = 'api-key'\n", "p.toml:6:1: auth.api_key: is missing"),
        (OPENAI + "[run]\ngrace_s = nan\n", "p.toml:7:11: run.grace_s: must be a finite number"),
        (OPENAI + "[session.extra]\na = 1979-05-27\n", "p.toml:7:5: session.extra.a: must not be a date or time"),
        (OPENAI + "[session.extra]\na = 99999999999999999999\n", "p.toml:7:5: session.extra.a: must fit into 64 bits"),
        ("a = 1\na = 2\n\n", "p.toml:2:1: not TOML: the key a is here a second time; remove one of them"),
        ("a = 1\nb = \x00\n", "p.toml:2:5: not TOML: invalid value"),
        ("x = " + "[" * 3000, "p.toml:1:1: tables and arrays nest deeper than 64 levels"),
        ("x = " + "[" * 90 + "]" * 90, "p.toml:1:1: tables and arrays nest deeper than 64 levels"),
        ("v = 1\nx = " + "9" * 5000, "p.toml:2:1: a number has too many digits"),
        (OPENAI + "[session.audio.input]\nturn_detection = false\n",
         'turn_detection: must be a table; write "none" to turn it off'),
        (OPENAI + "[session]\ntracing = false\n", 'session.tracing: must be a table; write "none" to turn it off'),
        (OPENAI + '[session]\noutput_modalities = "text"\n', 'must be an array; write output_modalities = ["text"]'),
        (OPENAI + '[session]\ntools = "x"\n', "session.tools: must be an array; write tools = [{ … }]"),
        (OPENAI + '[outputs]\nkind = "stdout"\n', "p.toml:6:1: outputs: must be an array; write [[outputs]]"),
        ('auth = "entra"\n' + OPENAI, 'auth: must be a table; write [auth], and below it kind = "entra"'),
        ('auth = "mine"\n' + OPENAI, 'auth: must be a table; write [auth], and below it kind = "…"'),
        ('model = "x"\n' + OPENAI.partition("[model]")[0], 'must be a table; write [model], and below it name = "…"'),
        (LLM, 'served by llama-server, Ollama or LM Studio, and asked by { kind = "chat", base_url ='),
        (OPENAI.replace('"openai"', '"azure-openai"'), '"custom" or "local"; did you mean "azure"?'),
        (OPENAI.replace('"openai"', '"custom"\nbase_url = "gw.test:80/v1"'),
         "base_url: must be a URL that begins with https:// or wss://"),
        (OPENAI.replace('"openai"', '"custom"\nbase_url = "ftp://gw.test/v1"'),
         "base_url: must be a URL that begins with https:// or wss://"),
        (OPENAI.replace('"openai"', '"custom"\nbase_url = "https://[::1"'), "is no URL: invalid IPv6 address"),
        (OPENAI.replace('"openai"', '"azure"\nbase_url = "https://x.test"\napi_version = "preview"'),
         "must be the date of a version, such as 2025-04-01-preview; remove it"),
        (OPENAI + "[auth]\nkind = 'api-key'\napi_key = { env = 'MY KEY' }\n", "env: must be the name of a variable"),
        (OPENAI + "[auth]\nkind = 'api-key'\napi_key = { env = 'K', file = 'k' }\n",
         "auth.api_key.file: unknown key; a reference is of one kind: keep env or file"),
        (OPENAI.replace('"gpt-realtime-2"', '""'), "model.name: must not be empty"),
        (OPENAI + "[endpoint.api]\n", "p.toml:6:1: endpoint.api: unknown key"),
        (OPENAI + "[session]\ninstructions = { file = 'x.md' }\n", "cannot be read: no such file or directory"),
        (OPENAI + "[session]\ninstructions = { fil = 'x.md' }\n", "p.toml:7:18: session.instructions: must be a text"),
        (
            OPENAI.replace("kind = ", "api_version = '2025-01-01'\nkind = "),
            'endpoint.api_version: unknown key; only "azure" takes it',
        ),
    ],
)  # fmt: skip
def test_a_problem_has_its_place(problems_of: Any, text: str, expected: str) -> None:
    """The line and column are those of the key or value at problem, or of its table where it is missing."""
    assert any(expected in each for each in problems_of(text))


@pytest.mark.parametrize(
    "text",
    [
        OPENAI + f'[auth]\nkind = "api-key"\napi_key = "{SECRET}"\n',
        OPENAI + f'[auth]\nkind = "api-key"\napikey = "{SECRET}"\n',
        OPENAI + f'[auth]\nkind = "{SECRET}"\n',
        OPENAI + f'auth = "{SECRET}"\n',
        OPENAI + f'[auth]\nkind = "api-key"\napi_key = {{ value = "{SECRET}" }}\n',
        OPENAI + f'[auth]\nkind = "api-key"\napi_key = ["{SECRET}"]\n',
        OPENAI + f'[session]\ninstructions = "use {SECRET} please"\n',
        OPENAI + f"[session.extra]\n{SECRET} = 1\n",
        OPENAI + f'[endpoint.headers]\nAuthorization = "Bearer {SECRET}"\n',
        OPENAI + f'[endpoint.headers]\nApi-Key = "{SECRET[3:]}"\n',
        OPENAI + f'[endpoint.headers]\nX-Auth-Token = "{SECRET[3:]}"\n',
        OPENAI + f'[endpoint.headers]\n"X-Goog-Api-Key" = "{SECRET[3:]}"\n',
        OPENAI + f'[endpoint.headers]\nX-Client-Secret = "{SECRET[3:]}"\n',
        OPENAI + f'[endpoint.query]\napi-key = "{SECRET[3:]}"\n',
        OPENAI + f'[endpoint.query]\nkey = "{SECRET[3:]}"\n',
        OPENAI + f'[endpoint.query]\nsig = "{SECRET[3:]}"\n',
        OPENAI.replace("kind =", f'base_url = "https://api.openai.com/v1?x=1&subscription%2Dkey={SECRET[3:]}"\nkind ='),
        OPENAI.replace("kind =", f'base_url = "https://user:{SECRET[3:]}@api.openai.com/v1"\nkind ='),
        OPENAI.replace("kind =", f'proxy = "http://user:{SECRET[3:]}@proxy"\nkind ='),
        OPENAI + f'x = "{SECRET}\n',
        OPENAI + f"{SECRET} = {SECRET}\n",
    ],
)
def test_a_literal_secret_is_refused_and_never_shown(load: Any, text: str) -> None:
    """In no form of the report, nor in the error itself."""
    with pytest.raises(ProfileProblems) as raised:
        load(text)

    said = repr(raised.value) + "".join(report(form, raised.value.problems) for form in ("text", "json", "github"))
    assert "abcdefghijklmnop" not in said
    assert raised.value.__context__ is None or "abcdefghijklmnop" not in str(raised.value.__context__)


def test_names_that_only_sound_secret_are_fine(load: Any) -> None:
    """No credential is refused that is none."""
    load(OPENAI + '[endpoint.headers]\nIdempotency-Key = "a"\nX-Team = "b"\n[endpoint.query]\nmax_tokens = "5"\n')


def test_a_credential_among_headers_or_query_is_reported_with_its_place(problems_of: Any) -> None:
    """Wherever it is said; the code is that of every literal secret."""
    use = "use [auth] with a reference"
    (header,) = problems_of(OPENAI + '[endpoint.headers]\nX-Auth-Token = "abc"\n')
    (query,) = problems_of(OPENAI, RT_RUN_ENDPOINT__QUERY__API_KEY="abc")

    assert header.startswith("p.toml:7:16: endpoint.headers.X-Auth-Token: a credential does not belong among the head")
    assert query.startswith("RT_RUN_ENDPOINT__QUERY__API_KEY: endpoint.query.api_key: a credential does not belong in")
    assert use in header
    assert use in query


def test_a_literal_key_is_answered_with_a_reference(problems_of: Any) -> None:
    """The message says what to write instead, once."""
    text = OPENAI + f'[auth]\nkind = "api-key"\napi_key = "{SECRET}"\n'

    assert problems_of(text) == [
        'p.toml:8:11: auth.api_key: a secret is a reference, never a value; { env = "OPENAI_API_KEY" }'
    ]
    assert problems_of(OPENAI, f"auth.api_key={SECRET}") == [
        '--set auth.api_key: a secret is a reference, never a value; { env = "OPENAI_API_KEY" }'
    ]


def test_a_circle_of_parents_is_a_problem_at_extends(write: Any) -> None:
    """The message draws the circle."""
    write("a.toml", 'version = 1\nextends = "b"\n')
    write("b.toml", 'extends = "a"\n')

    with pytest.raises(ProfileProblems) as raised:
        load_profile("a.toml", environ={})

    assert "b.toml:1:11: extends: profiles extend each other in a circle: a.toml → b.toml → a.toml" in str(raised.value)


def test_a_missing_parent_is_a_problem_at_extends(write: Any) -> None:
    """Beside the child and in the searched folders there is none."""
    write("child.toml", 'version = 1\nextends = "bse"\n')
    write("base.toml", OPENAI)

    with pytest.raises(ProfileProblems) as raised:
        load_profile("child.toml", environ={})

    assert str(raised.value).startswith("child.toml:2:11: extends: there is no profile 'bse'; searched")
    assert "did you mean base?" in str(raised.value)


def test_a_parents_problem_is_placed_in_the_parent(write: Any) -> None:
    """Also where the child is fine."""
    write("base.toml", OPENAI + "[run]\ngrace = 1\n")
    write("child.toml", 'extends = "base"\n')

    with pytest.raises(ProfileProblems, match=r"^base.toml:7:1: run.grace: unknown key; did you mean grace_s\?$"):
        load_profile("child.toml", environ={})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a = 1\nb = '\xff'", "2:6: is not UTF-8"),
        (b"#" * (1 << 20) + b"##", "1:1: is larger than 1 MiB"),
        (None, "1:1: is a directory"),
    ],
)
def test_a_file_that_is_none_is_reported(tmp_path: Path, data: bytes | None, problem: str) -> None:
    """Not UTF-8, too big, a directory."""
    path = tmp_path / "f.toml"
    path.mkdir() if data is None else path.write_bytes(data)

    with pytest.raises(ProfileProblems, match=f"f.toml:{problem}"):
        load_profile("f.toml", environ={})


def test_github_annotations_are_escaped() -> None:
    """Commas, colons, percent signs and line breaks would end a property or a command."""
    from runner.profile import Problem

    problem = Problem("a,b:c%.toml", 2, 3, "k", "one\ntwo", "100%", "code")

    assert report("github", [problem]) == "::error file=a%2Cb%3Ac%25.toml,line=2,col=3,title=code::k: one%0Atwo; 100%25"
    assert json.loads(report("json", [], [problem]))[0]["severity"] == "warning"
