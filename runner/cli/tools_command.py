"""`rt-run tools`: what the model is offered, and one call by hand."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command, add_profiles_dir, add_values, given_values, takes_profile
from runner.cli.plain_text import plain, write_plain

if TYPE_CHECKING:
    from runner.settings.profile import Profile
    from runner.tools.toolbox import Toolbox

FAILED = 1
"""The exit code where the call has failed."""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "tools",
        does="list the tools that the model is offered, or call one by hand",
        more="A call runs as the model's would, within the same limits, and is not asked for approval; its result goes "
        "to standard output, and the exit code is 1 where it fails.",
        examples=["rt-run tools support", """rt-run tools support order_status --args '{"order": "7"}'"""],
    )
    takes_profile(parser.add_argument("name", metavar="NAME|PATH", help="the profile"))
    parser.add_argument("tool", metavar="TOOL", nargs="?", help="the tool to call")
    parser.add_argument("--args", metavar="JSON", help="the arguments of the call, a JSON object; none without it")
    parser.add_argument("--output", choices=("text", "json"), help="the form of the list")
    add_profiles_dir(parser)
    add_values(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the tools, or call one.

    Returns:
        1 where a call has failed, else 0.

    Raises:
        UsageError: There is no such tool, or nothing that runs it.
    """
    import anyio

    from runner import logs
    from runner.cli.session_profile import tried_profile
    from runner.errors import UsageError
    from runner.profile import load_profile

    if options.tool is None and options.args is not None:
        raise UsageError("--args: no tool is named that takes them", hint="rt-run tools NAME TOOL --args JSON")
    if options.tool is not None and options.output is not None:
        raise UsageError("--output: a call's result has the form that the tool gives it", hint="leave it out")
    loaded = load_profile(options.name, **given_values(options))
    quiet: logs.Level = "warning" if options.quiet or options.tool is None else "info"
    logs.configure(level="debug" if options.verbose else quiet, format=options.log_format or "auto")
    return anyio.run(_until_signal, tried_profile(loaded), options)


async def _until_signal(profile: Profile, options: argparse.Namespace) -> int:
    """Run the command, which a signal ends with whatever it has started."""
    from runner.runs.signals import watch
    from runner.task_groups import body_task_group

    code = 0

    def take(number: int) -> None:
        nonlocal code
        code = 128 + number
        tasks.cancel_scope.cancel()

    async with body_task_group() as tasks:
        await tasks.start(watch, take)
        code = await _run(profile, options)
    return code


async def _run(profile: Profile, options: argparse.Namespace) -> int:
    from runner.tools.printed_lines import printing_to_log
    from runner.tools.profile_tools import profile_sources
    from runner.tools.toolbox import open_toolbox

    async with open_toolbox(profile_sources(profile)) as toolbox:
        with printing_to_log():
            await toolbox.ready()
        if options.tool is not None:
            return await _call(toolbox, options.tool, options.args or "")
        write_plain((_listed_json if options.output == "json" else _listed)(toolbox, profile))
    return 0


async def _call(toolbox: Toolbox, name: str, arguments: str) -> int:
    from runner.cli.failure import print_failure
    from runner.errors import RunnerError, UsageError
    from runner.profile.suggestion import nearest
    from runner.tools.printed_lines import printing_to_log

    tool = toolbox.find(name)
    if tool is None:
        near = nearest(name, [each.name for each in toolbox.offered()])
        hint = f"did you mean {near[0]}?" if near else "`rt-run tools NAME` lists what there is"
        raise UsageError(f"there is no tool {name}", hint=hint)
    if tool.is_client:
        raise UsageError(f"the tool {name} is answered by whoever uses the session", hint="rt-run does not run it")
    with printing_to_log():
        result = await toolbox.call(name, arguments, "by-hand")
    # A terminal is not moved by what a tool prints; a pipe gets it as it is.
    text = plain(result.output) if sys.stdout.isatty() else result.output
    sys.stdout.write(f"{text}\n")
    if result.outcome == "ok":
        return 0
    print_failure(RunnerError(f"the call of {name} ended after {result.duration_s:.1f} s: {result.outcome}"))
    return FAILED


def _listed(toolbox: Toolbox, profile: Profile) -> str:
    import json

    from runner.settings.profile import RealtimeSettings
    from runner.tools.end_session import END_SESSION_TOOL

    rows = []
    for tool in [*([END_SESSION_TOOL] if profile.run.tools.hang_up else []), *toolbox.offered()]:
        where = "a server that the endpoint asks" if tool.entry else "answered by the client"
        notes = [*([where] if tool.is_client else []), *_approval(tool.settings.approval)]
        schema = "" if tool.entry else json.dumps(tool.parameters, ensure_ascii=False)
        rows.append((tool.name, notes, tool.description, schema))
    session = profile.session
    for each in (session.tools or []) if isinstance(session, RealtimeSettings) else []:
        if each.type == "function":
            schema = json.dumps(each.parameters, ensure_ascii=False) if each.parameters else ""
            rows.append((each.name, ["nothing here runs it"], each.description or "", schema))
        else:
            rows.append((each.server_label, ["a server that the endpoint asks"], each.server_description or "", ""))
    if not rows:
        return "no tools\n"
    return "\n".join(_row(*row) for row in rows)


def _row(name: str, notes: list[str], description: str, schema: str) -> str:
    head = f"{name}  ({', '.join(notes)})" if notes else name
    return "".join(
        f"{line}\n" for line in (head, *(f"  {each}" for each in [*description.splitlines(), schema] if each))
    )


def _approval(approval: Any) -> list[str]:
    if approval == "never":
        return []
    return ["needs an approval" if approval == "always" else f"approved by {approval.command[0]}"]


def _listed_json(toolbox: Toolbox, profile: Profile) -> str:
    import json

    from runner.tools.end_session import END_SESSION_TOOL

    built_in = [END_SESSION_TOOL.definition] if profile.run.tools.hang_up else []
    described = profile.model_dump(mode="json", exclude_unset=True, include={"session": {"tools"}})
    tools = [*built_in, *toolbox.definitions(), *described.get("session", {}).get("tools", [])]
    return json.dumps(tools, indent=2, ensure_ascii=False) + "\n"
