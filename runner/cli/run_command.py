"""`rt-run --profile NAME`: run the sessions of one or several profiles."""

import argparse
import asyncio
import faulthandler
import gc
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import anyio

from runner import logs
from runner.api.session_types import TALKING
from runner.cli.arguments import given_values
from runner.cli.failure import tell_failure
from runner.errors import ProfileError, RunnerError, UsageError
from runner.profile import LoadedProfile, load_profile
from runner.profile.filling import missing_values
from runner.profile.problems import Problem, ProfileProblems
from runner.runs.face import Face, face_of, is_chat, is_filter
from runner.runs.fleet import Companion, run_profiles
from runner.runs.loop_choice import uses_uvloop
from runner.runs.notify import watchdog_s
from runner.runs.outcome import Outcome, exit_code
from runner.settings.input import StdinInput, is_text
from runner.settings.profile import Profile
from runner.tools.printed_lines import printing_to_log

_REPORTED_FAILURES = 5
"""So many different failures of several sessions are printed at the end; a log in JSON has all of them."""


def run(options: argparse.Namespace) -> int:
    """Run the profiles that the command line names; returns the exit code."""
    logs.configure(level=_level(options, "info"), format=options.log_format or "auto")
    profiles, failures = _load(options)
    if failures:
        _refuse(failures, options)
        return failures[0].exit_code
    settings = profiles[0].profile.logging
    form = options.log_format or settings.format
    face, level = face_of(profiles, is_quiet=options.quiet, renders=options.markdown), _level(options, settings.level)
    if face is None or form != "auto" or level == "debug":
        is_quiet = form == "auto" and level == "info" and (is_chat(profiles) or is_filter(profiles))
        logs.configure(level="warning" if is_quiet else level, format=form)
    else:
        # What is not told in words is written from `warning` on.
        logs.configure(level="info" if face.has_log else level, format=form, narrator=face.narrate)
    for warning in dict.fromkeys(str(each) for loaded in profiles for each in loaded.warnings):
        logs.logger().warning("profile_suspicious", problem=warning)
    if ignored := _disagreements(profiles):
        logs.logger().warning("profiles_disagree", settings=ignored, followed=profiles[0].name)
    return _run(profiles, form, face, options)


def _load(options: argparse.Namespace) -> tuple[list[LoadedProfile], list[RunnerError]]:
    """Load every profile, and find what is wrong with any of them, each problem once."""
    loaded: dict[str, LoadedProfile] = {}
    errors: dict[str, RunnerError] = {}
    problems: list[Problem] = []
    for name in dict.fromkeys(options.profile):
        try:
            loaded[name] = _loaded(name, options)
            problems += missing_values(loaded[name].profile, loaded[name].origins)
        except ProfileProblems as error:
            problems += error.problems
        except RunnerError as error:
            errors.setdefault(error.message, error)
    failures = [*([ProfileProblems(list(dict.fromkeys(problems)))] if problems else []), *errors.values()]
    profiles = [] if failures else [loaded[name] for name in options.profile]
    between = [*_shared_files(profiles), *_mixed_input(profiles), *_said_differently(profiles)]
    between += _nothing_to_forget(profiles, options)
    return profiles, failures or [*_unheard_text(profiles), *between]


def _loaded(name: str, options: argparse.Namespace) -> LoadedProfile:
    if options.ask is None:
        return load_profile(name, **given_values(options))
    from runner.cli.question import load_asking

    return load_asking(name, options.ask, given_values(options))


def _nothing_to_forget(profiles: Sequence[LoadedProfile], options: argparse.Namespace) -> list[RunnerError]:
    """`--fresh` where nothing would be resumed anyway."""
    if not (options.fresh and profiles) or any(each.profile.run.resume for each in profiles):
        return []
    return [UsageError(f"--fresh: {profiles[0].name} has no [run.resume]", hint="leave it out: every run begins anew")]


def _unheard_text(profiles: Sequence[LoadedProfile]) -> list[RunnerError]:
    """Text for sessions that only listen, which a program may use otherwise."""
    return [
        ProfileError(
            f"{loaded.name}: a {loaded.profile.session.type} session takes audio, not text",
            hint="such as --set input.path=FILE",
            code="audio-expected",
        )
        for loaded in {each.name: each for each in profiles}.values()
        if loaded.profile.session.type not in TALKING and is_text(loaded.profile.input)
    ]


def _mixed_input(profiles: Sequence[LoadedProfile]) -> list[RunnerError]:
    """Standard input is the same for all sessions: samples, or lines, and not both."""
    kinds = {
        loaded.profile.input.format == "audio": loaded.name
        for loaded in profiles
        if isinstance(loaded.profile.input, StdinInput)
    }
    if len(kinds) < 2:
        return []
    msg = f"{kinds[True]} takes standard input for audio, and {kinds[False]} for text"
    return [ProfileError(msg, hint="run them in processes of their own", code="stdin-mixed")]


def _said_differently(profiles: Sequence[LoadedProfile]) -> list[RunnerError]:
    """A process has one control socket and one HTTP listener: profiles that say something of them must say the same."""
    errors: list[RunnerError] = []
    for table, what in (("control", "control socket"), ("http", "HTTP listener")):
        said = {settings: each.name for each in profiles if (settings := getattr(each.profile, table))}
        if len(said) > 1:
            first, second = [*said.values()][:2]
            msg = f"{first} and {second} say different things in [{table}], and a process has one {what}"
            hint = "make them equal, or run them in processes of their own"
            errors.append(ProfileError(msg, hint=hint, code=f"{table}-differs"))
    return errors


def _shared_files(profiles: Sequence[LoadedProfile]) -> list[RunnerError]:
    """The files that sessions of two profiles would write at the same time; those of one profile are a rule's."""
    seen: dict[str, str] = {}
    shared: dict[str, RunnerError] = {}
    for loaded in profiles:
        profile = loaded.profile
        for path in (each.file_path for each in (*profile.outputs, profile.journal, profile.run.resume) if each):
            if path and "{session}" not in path and "{run_id}" not in path:
                file = path.replace("{profile}", loaded.name)
                if file in seen:
                    msg = f"{seen[file]} and {loaded.name} would both write {file}"
                    hint = "put {profile}, {session} or {run_id} into the path"
                    shared.setdefault(file, ProfileError(msg, hint=hint, code="outputs-share-file"))
                seen[file] = loaded.name
    return list(shared.values())


def _disagreements(profiles: Sequence[LoadedProfile]) -> list[str]:
    """The settings of the process in which a profile differs from the first."""
    values = [
        {"logging.level": each.logging.level, "logging.format": each.logging.format, "run.loop": each.run.loop}
        for each in (loaded.profile for loaded in profiles)
    ]
    return [key for key in values[0] if any(each[key] != values[0][key] for each in values)]


def _run(profiles: Sequence[LoadedProfile], form: logs.Format, face: Face | None, options: argparse.Namespace) -> int:
    try:
        has_uvloop = uses_uvloop(profiles[0].profile)
    except ProfileError as error:
        return tell_failure(error, form)
    if watchdog_s():
        # Whoever takes this process for dead ends it with SIGABRT, and wants to know where it was.
        faulthandler.enable()
    # All that is imported stays to the end: no collection in the middle of an answer shall walk through it.
    gc.freeze()
    gc.enable()
    try:
        with _tools_print(profiles, face):
            outcomes = anyio.run(_run_on_asyncio, profiles, face, options, backend_options={"use_uvloop": has_uvloop})
    except RunnerError as error:
        return tell_failure(error, form, profile=profiles[0].name)
    except Exception:  # noqa: BLE001  # whatever it is, it is ours, and a person has to read it
        logs.logger().exception("internal_error")
        return RunnerError.exit_code
    _report(outcomes, form)
    return exit_code(outcomes)


def _tools_print(profiles: Sequence[LoadedProfile], face: Face | None) -> AbstractContextManager[None]:
    """Where what functions print goes: standard output is the sessions', who write to its descriptor."""
    calls_functions = any(tool.run.kind == "python" for each in profiles for tool in each.profile.tools)
    return printing_to_log() if calls_functions or face is None else nullcontext()


def _refuse(failures: Sequence[RunnerError], options: argparse.Namespace) -> None:
    """Print what is wrong with the profiles, or log all of it as one object."""
    form: logs.Format = options.log_format or "auto"
    if logs.for_people(form):
        for error in failures:
            tell_failure(error, form)
    else:
        tell_failure(failures[0], form, profile=", ".join(dict.fromkeys(options.profile)), others=failures[1:])


def _report(outcomes: Sequence[Outcome], form: logs.Format) -> None:
    """Print or log why sessions failed: one that several of a profile share once, the most frequent first.

    What is logged of several has the ids of the first of them.
    """
    failed = {(each.profile, each.error.message): (each, each.error) for each in reversed(outcomes) if each.error}
    counts = Counter((each.profile, each.error.message) for each in outcomes if each.error)
    several = len(outcomes) > 1
    for_people = logs.for_people(form)
    for kind, count in counts.most_common(_REPORTED_FAILURES if for_people else None):
        outcome, error = failed[kind]
        if for_people:
            whose = f"{count} session{'s' if count > 1 else ''} of {outcome.profile}: " if several else ""
            tell_failure(RunnerError(whose + error.message, hint=error.hint), form)
        else:
            ids: dict[str, Any] = {
                "profile": outcome.profile,
                "run_id": outcome.run_id,
                "session_id": outcome.session_id,
            }
            tell_failure(error, form, **ids, sessions=count * several, exit_code=outcome.exit_code)
    if for_people and len(counts) > _REPORTED_FAILURES:
        others = sum(count for _, count in counts.most_common()[_REPORTED_FAILURES:])
        tell_failure(RunnerError(f"{others} more sessions failed otherwise", hint="--log-format json says how"), form)


async def _run_on_asyncio(
    profiles: Sequence[LoadedProfile], face: Face | None, options: argparse.Namespace
) -> list[Outcome]:
    loop = asyncio.get_running_loop()
    logs.logger().debug("loop_started", loop=type(loop).__module__.partition(".")[0])
    return await run_profiles(
        profiles,
        companions=_companions(profiles),
        face=face,
        is_fresh=options.fresh,
        reread=partial(_reread, options),
        log_by=(lambda _: None) if face else partial(_log_by, options),
    )


def _reread(options: argparse.Namespace) -> list[LoadedProfile]:
    """The profiles of the command line as they are by now; raises what is wrong with them."""
    profiles, failures = _load(options)
    if failures:
        raise failures[0]
    return profiles


def _log_by(options: argparse.Namespace, profile: Profile) -> None:
    settings = profile.logging
    logs.configure(level=_level(options, settings.level), format=options.log_format or settings.format)


def _companions(profiles: Sequence[LoadedProfile]) -> list[Companion]:
    """What runs beside the sessions, imported where there is some."""
    companions: list[Companion] = []
    if (control := next((each.profile.control for each in profiles if each.profile.control), None)) and control.enabled:
        from runner.operations.control_server import controlled

        companions.append(partial(controlled, settings=control))
    if http := next((each.profile.http for each in profiles if each.profile.http), None):
        from runner.operations.http_listener import observed

        companions.append(partial(observed, settings=http))
    if any(each.profile.traces and each.profile.traces.enabled for each in profiles):
        from runner.operations.traces import traced

        companions.append(traced)
    return companions


def _level(options: argparse.Namespace, default: logs.Level) -> logs.Level:
    if options.verbose:
        return "debug"
    # Who asks one question at a terminal wants to read its answer.
    is_quiet = options.quiet or (options.ask is not None and default == "info" and sys.stderr.isatty())
    return "warning" if is_quiet else default
