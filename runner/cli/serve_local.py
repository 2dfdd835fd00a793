"""`rt-run serve-local`: the local endpoint on a loopback port, for any Realtime client."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.settings.endpoint import LocalEndpoint

DEFAULT_LISTEN = "127.0.0.1:8765"


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("serve-local", help="serve the local endpoint to any Realtime client")
    parser.add_argument(
        "--listen",
        default=DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help=f"a loopback address (default {DEFAULT_LISTEN}; port 0 takes a free one)",
    )
    parser.add_argument(
        "-p", "--profile", dest="name", metavar="NAME|PATH", help="take script and limits from this profile's endpoint"
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="sets", metavar="KEY=VALUE", help="override one value of it"
    )
    parser.add_argument("--profiles-dir", metavar="DIR", default=argparse.SUPPRESS, help="look for profiles here first")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes; returns the exit code."""
    import anyio

    from runner import logs
    from runner.errors import UsageError
    from runner.settings.hosts import is_loopback

    host, _, port = options.listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port) > 65535 or not is_loopback(host):
        msg = f"--listen {options.listen}: not a loopback HOST:PORT"
        raise UsageError(
            msg, hint=f"such as {DEFAULT_LISTEN}; the endpoint checks no credential, so it stays on this machine"
        )
    level: logs.Level = "debug" if options.verbose else "warning" if options.quiet else "info"
    logs.configure(level=level, format=options.log_format or "auto")
    return anyio.run(_serve, _endpoint(options), host, int(port))


def _endpoint(options: argparse.Namespace) -> LocalEndpoint:
    from runner.errors import UsageError
    from runner.profile import load_profile
    from runner.settings.endpoint import LocalEndpoint

    if options.name is None:
        return LocalEndpoint(kind="local")
    sets = [*options.set, *options.sets]
    endpoint = load_profile(options.name, profiles_dir=options.profiles_dir, sets=sets).profile.endpoint
    if not isinstance(endpoint, LocalEndpoint):
        msg = f"the profile {options.name} has no local endpoint but one of kind {endpoint.kind}"
        raise UsageError(msg, hint='name a profile with `endpoint.kind = "local"`')
    return endpoint


async def _serve(endpoint: LocalEndpoint, host: str, port: int) -> int:
    import signal

    import anyio

    from runner import logs
    from runner.errors import UsageError
    from runner.local.app import LocalApp
    from runner.local.server import serve

    problem = ""
    code = 0
    async with anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            try:
                bound = await tasks.start(serve, LocalApp(endpoint), host, port)
            except OSError as error:
                problem = f"cannot listen on {host}:{port}: {error.strerror or error}"
            else:
                url = f"http://{f'[{host}]' if ':' in host else host}:{bound}/v1"
                sys.stdout.write(f"{url}\n")
                sys.stdout.flush()
                logs.logger().info("endpoint_listening", base_url=url, simulated=True)
                number = await anext(signals)
                logs.logger().info("endpoint_stopping", signal=number.name)
                code = 130 if number == signal.SIGINT else 0
        tasks.cancel_scope.cancel()
    if problem:
        raise UsageError(problem, hint="port 0 takes a free one")
    return code
