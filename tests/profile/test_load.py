"""A profile is what file, parents, environment and flags say, with the right one winning."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import HttpUrl

from runner.errors import ProfileError
from runner.profile import ProfileProblems, load_profile, make_profile
from runner.settings.auth import ApiKeyAuth
from runner.settings.endpoint import AzureEndpoint
from runner.settings.secret import EnvSecret, FileSecret
from tests.profile.conftest import OPENAI


def test_flags_win_over_environment_over_file_over_parent_over_default(write: Any) -> None:
    """Each layer beats the one before it, and origins say which one it was."""
    write("parent.toml", OPENAI + "[run]\nuntil = 'signal'\ngrace_s = 1\n[logging]\nlevel = 'debug'\nformat = 'json'\n")
    write("child.toml", 'extends = "parent"\n[run]\ngrace_s = 2\n[logging]\nlevel = "error"\n')

    loaded = load_profile("child.toml", sets=["run.grace_s=4"], environ={"RT_RUN_RUN__GRACE_S": "3"})

    assert loaded.profile.run.grace_s == 4
    assert str(loaded.origins["run.grace_s"]) == "--set run.grace_s"
    assert str(loaded.origins["logging.level"]) == "child.toml:5"
    assert str(loaded.origins["run.until"]) == "parent.toml:7"
    assert str(loaded.origins["input.kind"]) == "default"
    assert str(loaded.origins["endpoint.ping_timeout_s"]) == "default"


@pytest.mark.parametrize(
    ("name", "text", "key", "expected"),
    [
        ("RT_RUN_MODEL__NAME", "5", ("model", "name"), "5"),
        ("RT_RUN_MODEL__NAME", "true", ("model", "name"), "true"),
        ("RT_RUN_DESCRIPTION", '"quoted"', ("description",), '"quoted"'),
        ("RT_RUN_RUN__GRACE_S", "5", ("run", "grace_s"), 5.0),
        ("RT_RUN_ENDPOINT__MAX_MESSAGE_BYTES", "4_096", ("endpoint", "max_message_bytes"), 4096),
        ("RT_RUN_SESSION__PARALLEL_TOOL_CALLS", "true", ("session", "parallel_tool_calls"), True),
        ("RT_RUN_SESSION__OUTPUT_MODALITIES", '["text"]', ("session", "output_modalities"), ["text"]),
        ("RT_RUN_SESSION__OUTPUT_MODALITIES", "['text']", ("session", "output_modalities"), ["text"]),
        ("RT_RUN_SESSION__MAX_OUTPUT_TOKENS", "inf", ("session", "max_output_tokens"), "inf"),
        ("RT_RUN_SESSION__MAX_OUTPUT_TOKENS", "50", ("session", "max_output_tokens"), 50),
        ("RT_RUN_SESSION__TOOL_CHOICE", "auto", ("session", "tool_choice"), "auto"),
        ("RT_RUN_SESSION__EXTRA__NEW", "5", ("session", "extra"), {"new": 5}),
        ("RT_RUN_SESSION__EXTRA", '{"a": [1]}', ("session", "extra"), {"a": [1]}),
        ("RT_RUN_SESSION__AUDIO__OUTPUT__SPEED", "1.25", ("session", "audio", "output", "speed"), 1.25),
        ("RT_RUN_OUTPUTS__0__FORMAT", "events", ("outputs", 0, "format"), "events"),
    ],
)
def test_a_variable_lands_in_the_type_of_its_field(
    load: Any, name: str, text: str, key: tuple[str | int, ...], expected: object
) -> None:
    """Text stays text, and everything else is read as a literal."""
    value: Any = load(OPENAI, **{name: text}).profile
    for part in key:
        value = value[part] if isinstance(part, int) else getattr(value, part)

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("flag", "key", "expected"),
    [
        ("model.name=5", "model.name", "5"),
        ('model.name="quoted"', "model.name", "quoted"),
        ("outputs.0.format=events", "outputs.0.format", "events"),
        ('outputs.1={kind="events", path="x"}', "outputs.1.path", "x"),
        ('endpoint.headers."X.Y"=1', 'endpoint.headers."X.Y"', "1"),
        ("session.instructions=a=b", "session.instructions", "a=b"),
    ],
)
def test_a_flag_sets_one_value(load: Any, flag: str, key: str, expected: str) -> None:
    """Dotted keys reach into tables, arrays and quoted names."""
    loaded = load(OPENAI, flag)
    value: Any = loaded.profile.model_dump(mode="json")
    for part in loaded.origins._by_name[key]:
        value = value[part]

    assert value == expected


def test_several_flags_change_a_kind_together(load: Any) -> None:
    """A changed kind drops the old table, not what other flags say."""
    loaded = load(OPENAI, "endpoint.base_url=http://127.0.0.1:1/v1", "endpoint.kind=custom", "auth.kind=none")

    assert loaded.profile.endpoint.kind == "custom"
    assert str(loaded.profile.endpoint.base_url) == "http://127.0.0.1:1/v1"


def test_a_mistyped_variable_is_ignored_with_a_suggestion(load: Any) -> None:
    """Other tools' variables must not break a profile, but typing errors must show."""
    loaded = load(
        OPENAI, RT_RUN_MODLE__NAME="x", RT_RUN_RUN__GRACES="1", RT_RUN_PROFILES_DIR="/x", RT_RUN_X="sk-abcdefghij"
    )

    assert {str(each) for each in loaded.warnings} == {
        "RT_RUN_MODLE__NAME: no setting has this name; ignored; did you mean RT_RUN_MODEL__NAME?",
        "RT_RUN_RUN__GRACES: no setting has this name; ignored; did you mean RT_RUN_RUN__GRACE_S?",
        "RT_RUN_X: no setting has this name; ignored; `rt-run show NAME` lists the settings",
    }


def test_the_key_comes_from_the_usual_variable_unless_said_otherwise(load: Any) -> None:
    """Nobody has to write [auth] for the common case."""
    azure = OPENAI.replace('"openai"', '"azure"\nbase_url = "https://x.openai.azure.com"')

    assert load(OPENAI).profile.auth.api_key == EnvSecret(env="OPENAI_API_KEY")
    assert load(azure).profile.auth.api_key == EnvSecret(env="AZURE_OPENAI_API_KEY")
    assert load('version = 1\nendpoint.kind = "local"').profile.auth.kind == "none"


def test_a_childs_secret_replaces_its_parents(write: Any, tmp_path: Path) -> None:
    """A reference of another sort is not merged with the old one, and paths start at the file that says them."""
    write("base.toml", OPENAI + '[auth]\nkind = "api-key"\napi_key = { env = "A" }\n')
    write("sub/child.toml", 'extends = "../base.toml"\n[auth]\napi_key = { file = "key" }\n')

    auth = load_profile("sub/child.toml", environ={}).profile.auth

    assert isinstance(auth, ApiKeyAuth)
    assert auth.api_key == FileSecret(file=tmp_path / "sub/key")


def test_a_changed_kind_or_type_replaces_its_table(write: Any) -> None:
    """Nothing of the parent's azure endpoint or server_vad is left."""
    audio = '[session.audio.input]\nturn_detection = { type = "%s", %s }\n'
    write(
        "base.toml",
        OPENAI.replace('"openai"', '"azure"\nbase_url = "https://a"') + audio % ("server_vad", "threshold = 1"),
    )
    write("c.toml", 'extends = "base"\n[endpoint]\nkind = "openai"\n' + audio % ("semantic_vad", 'eagerness = "low"'))

    profile: Any = load_profile("c.toml", environ={}).profile

    assert str(profile.endpoint.base_url) == "https://api.openai.com/v1"
    assert profile.session.audio.input.turn_detection.eagerness == "low"


@pytest.mark.parametrize("said", ["", 'type = "realtime"\n'])
def test_a_live_child_keeps_of_its_realtime_parent_what_both_have(write: Any, said: str) -> None:
    """What a Live session lacks is left out, and named with its place; what the child itself says of it is wrong."""
    write(
        "parent.toml",
        OPENAI
        + f'[session]\n{said}instructions = "Be brief."\nmax_output_tokens = 9\n'
        + '[session.audio.input]\nturn_detection = { type = "server_vad" }\n[session.audio.output]\nvoice = "marin"\n',
    )
    live = 'extends = "parent"\nmodel.name = "gpt-live-1.1"\n[session]\ntype = "live"\ndelegation.type = "client"\n'
    write("child.toml", live)
    loaded = load_profile("child.toml", environ={})

    session = loaded.profile.session.model_dump(exclude_none=True)
    assert (session["instructions"], session["audio"]) == ("Be brief.", {"output": {"voice": "marin"}})
    assert [each.key for each in loaded.left_out] == ["session.max_output_tokens", "session.audio.input"]
    assert {(each.file, each.code) for each in loaded.left_out} == {("parent.toml", "left-out")}
    assert "session.audio.input" not in loaded.origins
    assert not load_profile("parent.toml", environ={}).left_out
    write("child.toml", live.replace('type = "live"', 'type = "live"\nmax_output_tokens = 9'))
    with pytest.raises(ProfileProblems, match=r"child\.toml:5:1: session\.max_output_tokens: unknown key"):
        load_profile("child.toml", environ={})


def test_instructions_come_from_a_file_beside_the_profile_that_says_so(write: Any) -> None:
    """A parent's file is looked for beside the parent."""
    write("base/parent.toml", OPENAI + '[session]\ninstructions = { file = "text.md" }\n')
    write("base/text.md", "Hällo")
    write("child.toml", 'extends = "base/parent.toml"\n')

    loaded = load_profile("child.toml", environ={})

    assert loaded.profile.session.instructions == "Hällo"  # type: ignore[union-attr]  # a realtime session
    assert str(loaded.origins["session.instructions"]) == "base/parent.toml:7"


@pytest.mark.parametrize("named", [{"profiles_dir": "nowhere"}, {"environ": {"RT_RUN_PROFILES_DIR": "nowhere"}}])
def test_a_folder_that_is_named_must_be_there(write: Any, named: dict[str, Any]) -> None:
    """A mistyped folder must not run another profile of the same name."""
    write("profiles/support.toml", OPENAI)

    with pytest.raises(ProfileError, match="there is no folder nowhere"):
        load_profile("support", **{"environ": {}, **named})


def test_a_name_is_searched_for_and_a_miss_lists_every_place(write: Any, tmp_path: Path) -> None:
    """The first folder wins; a miss suggests near names."""
    write("profiles/azure-prod.toml", OPENAI)
    write("mine/azure-prod.toml", OPENAI)
    write("first/other.toml", OPENAI)
    environ = {"RT_RUN_PROFILES_DIR": "mine", "XDG_CONFIG_HOME": "/xdg", "HOME": "/home/me"}

    assert load_profile("azure-prod", environ=environ).path == tmp_path / "mine/azure-prod.toml"
    assert load_profile("azure-prod", environ={}).path == tmp_path / "profiles/azure-prod.toml"
    with pytest.raises(ProfileError) as raised:
        load_profile("azur-prod", profiles_dir="first", environ=environ)

    assert raised.value.exit_code == 78
    assert raised.value.hint == "did you mean azure-prod?"
    assert str(raised.value).splitlines() == [
        "there is no profile 'azur-prod'; searched",
        "  first/azur-prod.toml",
        "  mine/azur-prod.toml",
        "  profiles/azur-prod.toml",
        "  /xdg/rt-run/profiles/azur-prod.toml",
        "  /etc/rt-run/profiles/azur-prod.toml",
    ]


def test_windows_files_load(tmp_path: Path) -> None:
    """A byte order mark and CRLF are no problems."""
    path = tmp_path / "w.toml"
    path.write_bytes(b"\xef\xbb\xbf" + OPENAI.replace("\n", "\r\n").encode())

    assert load_profile("w.toml", environ={}).profile.version == 1


def test_the_room_has_these_names() -> None:
    """Other rooms import nothing else."""
    import runner.profile as room

    assert room.__all__ == [
        "LoadedProfile",
        "Origin",
        "Origins",
        "Problem",
        "ProfileProblems",
        "load_profile",
        "make_profile",
    ]


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("outputs.5.format=events", "--set outputs.5.format: outputs.5: there is no such element"),
        ("run.grace_s", "--set run.grace_s: must be KEY=VALUE; such as run.grace_s=5"),
        ("extends=x", "--set extends: a parent can only be named in a file"),
        ("session=5", "--set session: must be a table; write [session]"),
        ("sk-abcdefghijk", "--set [hidden]: must be KEY=VALUE; such as run.grace_s=5"),
    ],
)
def test_a_flag_that_means_nothing_is_a_problem_that_names_it(problems_of: Any, flag: str, expected: str) -> None:
    """People see which of their flags is wrong."""
    assert problems_of(OPENAI, flag) == [expected]


def test_warnings_are_reported_beside_problems(load: Any) -> None:
    """A mistyped variable may be why a key is missing, even where the file cannot be read at all."""
    for text in ("version = 1\n", "version = \n"):
        with pytest.raises(ProfileProblems, match="--set x: must be KEY=VALUE"):
            load(text, "x")
        with pytest.raises(ProfileProblems) as raised:
            load(text, RT_RUN_MODLE__NAME="x")
        assert [each.file for each in raised.value.warnings] == ["RT_RUN_MODLE__NAME"]


@pytest.mark.parametrize(("version", "expected"), [("2025-04-01-preview", True), ("2025-04-01", False), (None, False)])
def test_only_a_previews_version_speaks_the_preview(version: str | None, expected: bool) -> None:
    """The endpoint itself knows it."""
    url = HttpUrl("https://contoso.openai.azure.com")

    assert AzureEndpoint(kind="azure", base_url=url, api_version=version).speaks_preview is expected


def test_a_profile_is_made_without_a_file() -> None:
    """It is judged as one in a file, and the version need not be given."""
    profile = make_profile(endpoint={"kind": "local"}, session={"instructions": "Be brief."})

    assert (profile.version, profile.endpoint.kind, profile.auth.kind) == (1, "local", "none")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"endpont": {}}, "argument: endpont: unknown key; did you mean endpoint?"),
        ({"endpoint": {"kind": "openai"}, "model": {"name": "m"}, "auth": {"api_key": "sk-abc"}}, "never a value"),
        ({"endpoint": {"kind": "local"}, "extends": "base"}, "argument: a parent can only be named in a file"),
    ],
)
def test_a_profile_without_a_file_is_refused_as_one_with(tables: dict[str, Any], said: str) -> None:
    """Every problem at once, and no secret in any of them."""
    with pytest.raises(ProfileProblems) as raised:
        make_profile(**tables)

    assert said in str(raised.value)
    assert "sk-abc" not in str(raised.value)


def test_tables_that_hold_themselves_are_refused() -> None:
    """No profile is without an end."""
    endpoint: dict[str, Any] = {"kind": "local"}
    endpoint["endpoint"] = endpoint

    with pytest.raises(ProfileProblems, match="hold themselves"):
        make_profile(endpoint=endpoint)


def test_a_name_may_be_a_path_and_a_flag_may_be_one(write: Any) -> None:
    """As Python programs give them."""
    write("a.toml", OPENAI)

    assert load_profile(Path("a.toml"), sets="run.grace_s=5").profile.run.grace_s == 5


def test_what_is_only_misspelt_is_not_missing(load: Any) -> None:
    """One typing error is one problem; what is missing beside it is another one."""
    for text, keys in (
        (f"{OPENAI.replace('name', 'nme')}", {"model.nme"}),
        ('version = 1\n[endpont]\nkind = "local"\n', {"endpont"}),
        ('version = 1\n[endpoint]\nkind = "azure"\nbse_url = "https://a.test"\n[session]\nx = 1\n[model]\n', None),
    ):
        with pytest.raises(ProfileProblems) as raised:
            load(text)
        found = {each.key for each in raised.value.problems}
        assert found == (keys or {"endpoint.bse_url", "session.x", "model.name"})
