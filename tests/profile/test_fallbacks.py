"""The fallbacks of a profile: found beside it, judged with it, and told apart from what they cannot do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import ProfileError
from runner.profile import LoadedProfile, ProfileProblems, make_profile
from runner.profile.load import made_fallbacks
from runner.profile.takeover import taken_over
from runner.protocol.session_update import session_update
from tests.profile.conftest import OPENAI

Write = Callable[[str, str], Path]
Load = Callable[..., LoadedProfile]
Problems = Callable[..., list[str]]

CUSTOM = 'version = 1\n[endpoint]\nkind = "custom"\nbase_url = "https://west.contoso.net/v1"\n[auth]\nkind = "none"\n'
WEST = CUSTOM + '[model]\nname = "gpt-realtime"\n'


LIVE = OPENAI.replace("gpt-realtime-2", "gpt-live-1.1") + '[session]\ntype = "live"\n'
CLIENT = LIVE + '[delegate]\nrun = { kind = "command", argv = ["true"] }\n'
RESPONSES = 'type = "responses"\nresponses = { model = "gpt-5.2", instructions = "Find {{what}}." }\n'
BACKEND = f"{LIVE}[session.delegation]\n{RESPONSES}"
TOOL = '[[tools]]\nname = "order"\ndescription = "Looks an order up."\nrun = { kind = "command", argv = ["true"] }\n'


def falls_back_on(*names: str, table: str = "") -> str:
    """A profile with these fallbacks."""
    return f"{OPENAI}[run]\nfallback = [{', '.join(map(repr, names))}]\n{table}"


def test_fallbacks_are_what_their_files_say(write: Write, load: Load) -> None:
    """Found beside the profile or by path, with what they extend; flags and variables are not theirs."""
    write("west.toml", WEST + '[run]\nfallback = ["nowhere"]\n')
    write("more/east.toml", 'version = 1\nextends = "../west.toml"\n[model]\nname = "gpt-realtime-2.1"\n')

    loaded = load(falls_back_on("west", "more/east.toml"), "model.name=other", RT_RUN_AUTH__KIND="none")

    assert [each.name for each in loaded.fallbacks] == ["west", "east"]
    models = [each.profile.model and each.profile.model.name for each in loaded.fallbacks]
    assert models == ["gpt-realtime", "gpt-realtime-2.1"]
    assert loaded.profile.model
    assert loaded.profile.model.name == "other"


@pytest.mark.parametrize(
    ("names", "files", "code", "problem"),
    [
        (["west", "west"], {}, "fallback-twice", "another fallback is called west too"),
        (["wset"], {}, "fallback-missing", "there is no profile 'wset'"),
        (["more/p.toml"], {"more/p.toml": WEST}, "fallback-twice", "this profile is called p too"),
        (["p"], {}, "fallback-circle", "in a circle: p → p"),
        (["c"], {"c.toml": WEST + '[run]\nfallback = ["p"]\n'}, "fallback-circle", "in a circle: p → c → p"),
        (["c"], {"c.toml": WEST + "[run]\ngrace = 1\n"}, "fallback-broken", "the fallback 'c' cannot be read"),
        (
            ["c"],
            {"c.toml": CUSTOM + '[session]\ntype = "transcription"\n'},
            "fallback-unfit",
            "c cannot take over: session.type: it runs a transcription session, and this is a realtime session",
        ),
        (
            ["c"],
            {"c.toml": CUSTOM.replace("[auth]", 'call_id = "rtc_1"\n[auth]')},
            "fallback-unfit",
            "endpoint.call_id: a call is at one endpoint only",
        ),
        (
            ["c"],
            {
                "c.toml": OPENAI.replace("gpt-realtime-2", "gpt-realtime-translate")
                + '[session]\ntype = "translation"\n'
            },
            "fallback-unfit",
            "session.type",
        ),
    ],
)
def test_what_cannot_take_over_refuses_the_profile(
    write: Write, load: Load, names: list[str], files: dict[str, str], code: str, problem: str
) -> None:
    """At the name of the fallback, beside what is wrong in its own file."""
    write("west.toml", WEST)
    for name, text in files.items():
        write(name, text)
    with pytest.raises(ProfileProblems) as raised:
        load(falls_back_on(*names))
    found = next(each for each in raised.value.problems if each.code == code)
    assert (found.file, found.line, found.key) == ("p.toml", 7, f"run.fallback.{len(names) - 1}")
    assert problem in found.problem


@pytest.mark.parametrize(
    ("table", "file", "problem"),
    [
        (TOOL, CLIENT, "tools: a Live model calls no tools itself; write [session.delegation] with type"),
        (
            '[session]\ntools = [{ type = "function", name = "order" }]\n[input]\nkind = "none"\n',
            CLIENT,
            "session.tools: a Live model calls no tools itself; write [session.delegation] with type",
        ),
        (
            "",
            BACKEND + '[session.audio]\nformat = { type = "audio/pcmu", rate = 8000 }\n',
            "session.audio.format: it is audio/pcmu at 8000 Hz, and the input of this session is audio/pcm at 24000 Hz",
        ),
        (
            '[input]\nkind = "stdin"\nformat = "events"\n',
            BACKEND,
            "input.format: the client events that come in are those of a realtime session",
        ),
        (
            '[greeting]\ntext = "Hello"\nafter = "user-audio"\n[input]\nkind = "microphone"\n',
            BACKEND,
            "greeting.after: ",
        ),
    ],
)
def test_what_another_kind_of_session_cannot_carry_refuses_the_profile(
    write: Write, problems_of: Problems, table: str, file: str, problem: str
) -> None:
    """Offline, with what to do about it."""
    write("west.toml", file.replace("{{what}}", "it"))
    assert any(f"west cannot take over: {problem}" in each for each in problems_of(falls_back_on("west", table=table)))


def test_a_live_session_takes_over_with_our_words_and_tools(write: Write, load: Load) -> None:
    """And a realtime one; all else of `[session]` is as the other profile says, with our values in its texts."""
    live = BACKEND.replace("[session.delegation]", 'instructions = "Mine."\n[session.delegation]')
    write("west.toml", live + '[variables]\nwhat = { default = "nothing" }\n')
    table = f'[session]\ninstructions = "Be brief."\n[variables]\nwhat = {{ default = "{{{{date}}}}" }}\n{TOOL}'
    loaded = load(falls_back_on("west", table=table))
    assert _asked(loaded, 0) == {
        "model": "gpt-live-1.1",
        "instructions": "Be brief.",
        "delegation": {"type": "responses", "responses": {"model": "gpt-5.2", "instructions": "Find {{date}}."}},
    }

    tools = 'tools = [{ type = "web_search" }, { type = "function", name = "order" }]'
    own = BACKEND.replace('"Find {{what}}."', f'"Find it.", {tools}').replace(
        "[session.d", 'instructions = "Be kind."\n[session.d'
    )
    write("east.toml", OPENAI + '[session]\ninstructions = "Mine."\nreasoning = { effort = "low" }\n')
    loaded = load(own + '[input]\nkind = "none"\n[run]\nfallback = ["east"]\n')
    assert _asked(loaded, 0) == {
        "type": "realtime",
        "instructions": "Be kind.",
        "reasoning": {"effort": "low"},
        "tools": [{"type": "function", "name": "order"}],
    }
    backend = "session.delegation.responses"
    heard, *rest = [each.problem for each in loaded.warnings if each.code == "fallback-lacks"]
    assert heard.startswith("east does without session.audio.input.transcription: what is said there is not written")
    assert rest == [
        f"east does without {backend}.instructions: a realtime model calls the tools itself",
        f"east does without {backend}.tools.0: a realtime model has no web_search",
    ]


def test_a_limit_on_money_takes_prices_of_all(write: Write, problems_of: Problems) -> None:
    """What is not known cannot be counted."""
    write("west.toml", WEST)
    prices = "[run.limits]\nmax_cost = 1\nprices = { input_text = 1 }\n"
    (problem,) = problems_of(falls_back_on("west", table=prices))
    assert "west cannot take over: run.limits.max_cost: can never be reached: nothing has a price" in problem


def test_a_limit_on_money_warns_of_minutes_without_a_price(write: Write, load: Load) -> None:
    """A Live session is billed by the minute, beside the tokens of the model behind it."""
    write("live.toml", BACKEND.replace("{{what}}", "it") + "[run.limits]\nprices = { input_text = 1 }\n")
    loaded = load(falls_back_on("live", table="[run.limits]\nmax_cost = 1\nprices = { input_text = 1 }\n"))
    assert "live does without run.limits.prices.live_minute" in loaded.warnings[-1].problem


def test_what_another_model_cannot_do_is_warned_of_and_left_out(write: Write, load: Load) -> None:
    """Reasoning, a voice of the account, and what a model for transcription does not take; all else is asked for."""
    write(
        "west.toml",
        WEST + '[session.audio.output]\nvoice = "marin"\n[session.audio.input.transcription]\nmodel = "whisper-1"\n',
    )
    write("openai.toml", OPENAI + '[session.audio.input.transcription]\nmodel = "whisper-1"\n')
    session = """\
[session]
instructions = "Be brief."
reasoning = { effort = "low" }
[session.audio.output]
voice = { id = "voice_1" }
speed = 1.1
[session.audio.input.transcription]
model = "gpt-transcribe"
keywords = ["tea"]
language = "en"
"""
    loaded = load(falls_back_on("west", "openai", table=session))

    told = [f"{each.key}: {each.problem}" for each in loaded.warnings if each.code == "fallback-lacks"]
    assert told == [
        "run.fallback.0: west does without session.audio.output.voice: voice_1 is a voice of another account",
        "run.fallback.0: west does without session.reasoning: gpt-realtime does not reason",
        "run.fallback.1: openai does without session.audio.input.transcription.keywords: whisper-1 does not take it",
    ]
    asked = [_asked(loaded, index) for index in (0, 1)]
    heard = {"transcription": {"model": "whisper-1", "language": "en"}}
    common = {"type": "realtime", "instructions": "Be brief."}
    assert asked == [
        {
            **common,
            "audio": {
                "output": {"voice": "marin", "speed": 1.1},
                "input": {"transcription": {**heard["transcription"], "keywords": ["tea"]}},
            },
        },
        {
            **common,
            "reasoning": {"effort": "low"},
            "audio": {"output": {"voice": {"id": "voice_1"}, "speed": 1.1}, "input": heard},
        },
    ]


def _asked(loaded: LoadedProfile, index: int) -> Any:
    return session_update(taken_over(loaded.profile, loaded.fallbacks[index].profile).profile)["session"]


def test_a_profile_without_a_file_has_fallbacks_too(write: Write) -> None:
    """They are looked for where names are."""
    write("profiles/west.toml", WEST)
    profile = make_profile(endpoint={"kind": "local"}, run={"fallback": ["west"]})
    assert [each.name for each in made_fallbacks(profile)] == ["west"]
    with pytest.raises(ProfileError, match=r"run\.fallback\.0: there is no profile 'east'"):
        make_profile(endpoint={"kind": "local"}, run={"fallback": ["east"]})
