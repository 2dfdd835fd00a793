"""`rt-run serve-local`: the local endpoint on a loopback port, for any Realtime client."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command, add_profiles_dir, takes_file, takes_profile

if TYPE_CHECKING:
    import ssl

    from runner.local.server.asgi import Asgi
    from runner.local.server.journal_server import PlaybackApp
    from runner.settings.endpoint import LocalEndpoint

DEFAULT_LISTEN = "127.0.0.1:8765"


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands,
        "serve-local",
        does="serve the local endpoint to any Realtime client",
        more="It listens on this machine only, and prints its address; Ctrl-C ends it.",
        examples=[
            "rt-run serve-local --listen 127.0.0.1:0",
            "rt-run serve-local --fault kind=drop,after_events=5",
            "rt-run serve-local --journal journal/support-1.jsonl --speed 0",
        ],
    )
    parser.add_argument(
        "--listen",
        default=DEFAULT_LISTEN,
        metavar="ADDRESS",  # a colon would end the description in zsh
        help=f"a loopback HOST:PORT (default {DEFAULT_LISTEN}; port 0 takes a free one)",
    )
    takes_profile(
        parser.add_argument(
            "-p",
            "--profile",
            dest="name",
            metavar="NAME|PATH",
            help="take script, limits and faults from this profile's endpoint",
        )
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="sets", metavar="KEY=VALUE", help="override one value of it"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        dest="faults",
        metavar="KEY=VALUE,…",
        help="let something go wrong, such as kind=drop,after_events=5 (repeatable; see docs/local-endpoint.md)",
    )
    add_profiles_dir(parser, "look for profiles here first")
    takes_file(
        parser.add_argument("--journal", metavar="FILE", help="play the server's side of this journal back instead")
    )
    parser.add_argument(
        "--speed", type=float, metavar="N", help="how many times faster than recorded; 0 makes no pauses (default 1)"
    )
    takes_file(
        parser.add_argument("--tls-cert", metavar="FILE", help="serve https:// and wss:// with this certificate in PEM")
    )
    takes_file(parser.add_argument("--tls-key", metavar="FILE", help="its private key, unless it is in the same file"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes; returns the exit code."""
    from runner import logs
    from runner.cli.failure import tell_failure
    from runner.errors import RunnerError

    level: logs.Level = "debug" if options.verbose else "warning" if options.quiet else "info"
    logs.configure(level=level, format=options.log_format or "auto")
    try:
        return _run(options)
    except RunnerError as error:
        return tell_failure(error, options.log_format or "console")


def _run(options: argparse.Namespace) -> int:
    import anyio

    from runner.cli.fault_flags import with_faults
    from runner.errors import UsageError
    from runner.local.server.app import LocalApp
    from runner.runs import open_files
    from runner.settings.hosts import is_loopback

    host, _, port = options.listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port) > 65535 or not is_loopback(host):
        msg = f"--listen {options.listen}: not a loopback HOST:PORT"
        raise UsageError(
            msg, hint=f"such as {DEFAULT_LISTEN}; the endpoint checks no credential, so it stays on this machine"
        )
    if options.speed is not None and not options.journal:
        msg = f"--speed {options.speed:g}: there is no journal to be played back"
        raise UsageError(msg, hint="name one with --journal")
    tls = _tls(options)
    app = _playback(options) if options.journal else LocalApp(with_faults(_endpoint(options), options.faults))
    open_files.allow_clients()
    return anyio.run(_serve, app, host, int(port), tls)


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    import ssl

    from runner.errors import UsageError, reason_of

    if options.tls_cert is None:
        if options.tls_key is not None:
            msg = f"--tls-key {options.tls_key}: there is no certificate that it belongs to"
            raise UsageError(msg, hint="name it with --tls-cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # A key with a password would otherwise be asked for on the terminal.
        context.load_cert_chain(options.tls_cert, options.tls_key, password=lambda: "")
    except (OSError, ValueError) as error:
        files = " with ".join(filter(None, [options.tls_cert, options.tls_key]))
        msg = f"--tls-cert {files}: {reason_of(error)}"
        raise UsageError(msg, hint="a certificate and its private key without a password, in PEM") from None
    return context


def _playback(options: argparse.Namespace) -> PlaybackApp:
    import math
    from pathlib import Path

    from runner import logs
    from runner.errors import InputError, UsageError
    from runner.journal.reading import read_journal
    from runner.local.server.journal_server import PlaybackApp

    if options.name is not None or options.faults:
        msg = f"--journal and {'--fault' if options.faults else '--profile'} exclude each other"
        raise UsageError(msg, hint="a journal holds all that the server said")
    speed = 1.0 if options.speed is None else options.speed
    if not (math.isfinite(speed) and speed >= 0):
        msg = f"--speed {options.speed}: not a number of 0 or more"
        raise UsageError(msg)

    def warn(problem: str) -> None:
        logs.logger().warning("line_left_out", problem=problem)

    app = PlaybackApp(read_journal(Path(options.journal), warn), speed=speed)
    if not app.connection_count:
        msg = f"the journal {options.journal} holds no connection"
        raise InputError(msg)
    return app


def _endpoint(options: argparse.Namespace) -> LocalEndpoint:
    from runner.errors import UsageError
    from runner.profile import load_profile
    from runner.settings.endpoint import LocalEndpoint

    sets = [*options.set, *options.sets]
    if options.name is None:
        if sets:
            msg = f"--set {sets[0]}: there is no profile whose value it would override"
            raise UsageError(msg, hint="name one with --profile")
        return LocalEndpoint(kind="local")
    endpoint = load_profile(options.name, profiles_dir=options.profiles_dir, sets=sets).profile.endpoint
    if not isinstance(endpoint, LocalEndpoint):
        msg = f"the profile {options.name} has no local endpoint but one of kind {endpoint.kind}"
        raise UsageError(msg, hint='name a profile with `endpoint.kind = "local"`')
    return endpoint


async def _serve(app: Asgi, host: str, port: int, tls: ssl.SSLContext | None) -> int:
    import os
    import signal
    from functools import partial

    import anyio

    from runner import logs
    from runner.errors import UsageError, reason_of
    from runner.local.server.app import LocalApp
    from runner.local.server.http_server import serve
    from runner.local.server.loopback_only import LoopbackOnly
    from runner.runs.signals import watch

    if isinstance(app, LocalApp):
        await app.load()
    problem = ""
    code = 0
    serving = anyio.CancelScope()

    def take(number: signal.Signals) -> None:
        nonlocal code
        if serving.cancel_called:
            # A second signal does not wait for goodbyes.
            os._exit(128 + number)
        logs.logger().info("endpoint_stopping", signal=number.name)
        code = 0 if number == signal.SIGTERM else 128 + number
        serving.cancel()

    async with anyio.create_task_group() as tasks:
        await tasks.start(watch, take)
        with serving:
            async with anyio.create_task_group() as servers:
                try:
                    bound = await servers.start(partial(serve, LoopbackOnly(app), host, port, tls=tls))
                except OSError as error:
                    problem = f"cannot listen on {host}:{port}: {reason_of(error)}"
                else:
                    url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{bound}/v1"
                    sys.stdout.write(f"{url}\n")
                    sys.stdout.flush()
                    logs.logger().info("endpoint_listening", base_url=url, simulated=True)
        tasks.cancel_scope.cancel()
    if problem:
        raise UsageError(problem, hint="port 0 takes a free one")
    return code
