"""`rt-run init`: a commented profile to start from."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command, takes_folder

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "local": "the local endpoint, in text",
    "local-voice": "the local endpoint, spoken, in English",
    "transcribe": "a recording, written down by the local endpoint",
    "interpret": "a recording, interpreted by the local endpoint",
    "openai": "OpenAI, in text",
    "openai-voice": "OpenAI, with microphone and loudspeaker",
    "live": "OpenAI, Live: full duplex, with microphone and loudspeaker",
    "live-local": "the local endpoint, Live",
    "openai-transcription": "OpenAI, a recording written down",
    "openai-translation": "OpenAI, a recording interpreted",
    "azure": "Azure OpenAI by Entra ID, in text",
    "azure-key": "Azure OpenAI by a key, in text",
    "azure-transcription": "Azure OpenAI, a recording written down",
    "custom": "any compatible server, in text",
}
"""What a profile can be made from: the profiles that are built in, and a template for each other start."""

_SCHEMA = "#:schema ../schemas/profile.schema.json\n"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "init",
        does="write a commented profile to start from",
        more="Its comments say what else there is to set, and the output what to do next. Nothing is overwritten.\n\n"
        + "\n".join(["kinds:", *(f"  {kind:<22}{what}" for kind, what in KINDS.items())]),
        examples=[
            "rt-run init support --kind azure",
            "rt-run init talk --kind openai-voice --dir ~/.config/rt-run/profiles",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="the profile's name")
    parser.add_argument("--kind", choices=KINDS, required=True, metavar="KIND", help="what to start from")
    takes_folder(
        parser.add_argument(
            "--dir", default="profiles", metavar="DIR", help="the folder to write to (default: profiles)"
        )
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the profile and say what to do next.

    Raises:
        UsageError: The name is not one, the file exists, or it cannot be written.
    """
    from pathlib import Path

    from runner.errors import UsageError, reason_of

    name = args.name.removesuffix(".toml")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{args.name!r} is not a profile's name", hint="use letters, digits, dots, dashes and underscores"
        )
    path = Path(args.dir) / f"{name}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(profile_text(args.kind, name))
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="choose another name; nothing is overwritten") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {reason_of(error).lower()}") from None
    sys.stdout.write("".join(f"{line}\n" for line in [f"wrote {path}", *_next_steps(path, args.kind)]))
    return 0


def profile_text(kind: str, name: str) -> str:
    """The text of a new profile: its comments call it by its name, and its models are none that end soon.

    Args:
        kind: One of `KINDS`.
        name: The profile's name.
    """
    from pathlib import Path

    from runner.profile.builtin_profiles import builtin_profile
    from runner.profile.known_models import lasting

    source = builtin_profile(kind) or Path(__file__).with_name("templates") / f"{kind}.toml"
    text = source.read_text(encoding="utf-8")
    text = re.sub(rf"(--profile |rt-run check ){kind}(?![\w-])", rf"\g<1>{name}", text).replace(
        f'"{kind}.md"', f'"{name}.md"'
    )
    return _SCHEMA + re.sub(r'(?<=")[\w.-]+(?=")', lambda word: lasting(word[0]), text)


def _next_steps(path: Path, kind: str) -> list[str]:
    from runner.profile import load_profile
    from runner.profile.readiness import missing_here

    steps: list[str] = []
    if kind.startswith("azure"):
        steps.append("set endpoint.base_url and the name of your deployment in it")
    if kind == "custom":
        steps.append("set endpoint.base_url in it")
    lacks = missing_here(load_profile(path.absolute(), environ={}))
    steps += dict.fromkeys(each.hint for each in lacks if each.code == "library-missing")
    if kind == "azure":
        steps.append("az login")
    elif kind.startswith("azure"):
        steps.append("export AZURE_OPENAI_API_KEY=…")
    elif kind.startswith("openai") or kind == "live":
        steps.append("export OPENAI_API_KEY=…")
    name = path.stem if _is_found(path) else str(path)
    recording = "" if kind not in _OF_RECORDINGS else " --set input.path=RECORDING.wav"
    folder = path.parent.parent / "schemas"
    schema = folder / "profile.schema.json"
    editor = (
        [] if schema.exists() else [f"for completion in your editor: mkdir -p {folder} && rt-run schema > {schema}"]
    )
    steps += [f"rt-run check {name}", f"rt-run --profile {name}{recording}", *editor]
    return ["next:", *(f"  {step}" for step in steps)]


_OF_RECORDINGS = frozenset(
    {"local-voice", "transcribe", "interpret", "openai-transcription", "openai-translation", "azure-transcription"}
)
"""The kinds that take a recording for their input."""


def _is_found(path: Path) -> bool:
    """Whether the file is what its name means."""
    import os

    from runner.errors import ProfileError
    from runner.profile.locate import locate

    try:
        return locate(path.stem, profiles_dir=None, environ=os.environ) == path.absolute()
    except ProfileError:
        return False
