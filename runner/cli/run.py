"""`rt-run --profile NAME`: run one session."""

import argparse
import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import anyio

from runner import logs
from runner.cli.failure import print_failure
from runner.errors import ProfileError, RunnerError
from runner.lifecycle.run import Outcome, run_profile
from runner.profile import LoadedProfile, load_profile


def run(options: argparse.Namespace) -> int:
    """Run the profile that the command line names; returns the exit code."""
    logs.configure(level=_level(options, "info"), format=options.log_format or "auto")
    try:
        loaded = load_profile(options.profile, profiles_dir=options.profiles_dir, sets=options.set)
    except RunnerError as error:
        print_failure(error)
        return error.exit_code
    settings = loaded.profile.logging
    form = options.log_format or settings.format
    logs.configure(level=_level(options, settings.level), format=form)
    for warning in loaded.warnings:
        logs.logger().warning("profile_suspicious", problem=str(warning))
    return _run(loaded, form)


def _run(loaded: LoadedProfile, form: logs.Format) -> int:
    loop = loaded.profile.run.loop
    has_uvloop = loop != "asyncio" and find_spec("uvloop") is not None
    if loop == "uvloop" and not has_uvloop:
        print_failure(ProfileError("`run.loop` is uvloop, which is not installed", hint="pip install 'rt-run[fast]'"))
        return ProfileError.exit_code
    # What is there by now stays to the end: no later collection needs to look at it.
    gc.freeze()
    gc.enable()
    try:
        outcome = anyio.run(_run_on_asyncio, loaded, backend_options={"use_uvloop": has_uvloop})
    except Exception:  # noqa: BLE001  # whatever it is, it is ours, and a person has to read it
        logs.logger().exception("internal_error")
        return RunnerError.exit_code
    if (error := outcome.error) is not None:
        if logs.for_people(form):
            print_failure(error)
        else:
            told = {"error": error.message, "hint": error.hint, "code": error.code}
            told = {key: text for key, text in told.items() if text}
            logs.logger().error("run_failed", profile=loaded.name, **told, exit_code=outcome.exit_code)
    return outcome.exit_code


async def _run_on_asyncio(loaded: LoadedProfile) -> Outcome:
    loop = asyncio.get_running_loop()
    logs.logger().debug("loop_started", loop=type(loop).__module__.partition(".")[0])
    loop.set_default_executor(_HastyExecutor())
    return await run_profile(loaded)


class _HastyExecutor(ThreadPoolExecutor):
    """Resolves names for asyncio, and does not make the end of a run wait for a name server that is silent."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # as inherited
        super().shutdown(wait=False, cancel_futures=True)


def _level(options: argparse.Namespace, default: logs.Level) -> logs.Level:
    if options.verbose:
        return "debug"
    return "warning" if options.quiet else default
