"""The commands that `rt-run ctl NAME` takes, and what each asks of the session."""

from __future__ import annotations

import json
import sys
from argparse import SUPPRESS, Namespace
from typing import TYPE_CHECKING, Any

from runner.cli.command_parser import CommandParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runner.operations.control_client import ControlClient

Session = dict[str, Any]
"""The keys of a request that say which session is meant."""


def session_parser(name: str, add_choices: Callable[..., None]) -> CommandParser:
    """The parser of what stands after a session's name.

    Args:
        name: The name.
        add_choices: Adds the flags that all commands have.
    """
    parser = CommandParser(prog=f"rt-run ctl {name}")
    add_choices(parser)
    parser.add_argument("--json", action="store_true", help="print the status as JSON")
    parser.set_defaults(act=_status)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(word: str, act: Callable[..., int], *, of: Any = commands, **defaults: Any) -> CommandParser:
        added: CommandParser = of.add_parser(word)
        add_choices(added, SUPPRESS)
        added.set_defaults(act=act, **defaults)
        return added

    add("status", _status).add_argument("--json", action="store_true", default=SUPPRESS, help="as JSON")
    say = add("say", _say)
    say.add_argument("text", metavar="TEXT")
    say.add_argument("--no-response", action="store_true", help="ask for no response")
    respond = add("respond", _respond)
    respond.add_argument("--instructions", metavar="TEXT", help="instructions for this response only")
    respond.add_argument("fields", nargs="*", metavar="KEY=VALUE", help="fields of the API's response object")
    update = add("update", _update)
    update.add_argument("fields", nargs="+", metavar="KEY=VALUE", help="fields of the API's session object")
    _add_items(add("item", _status).add_subparsers(metavar="add|remove|truncate", required=True), add)
    for word in ("cancel", "commit", "clear", "rollover", "close"):
        add(word, _plain, command=word)
    for word, verbs in (("input", ("start", "stop", "mute", "unmute")), ("output", ("start", "stop"))):
        add(word, _plain, command=word).add_argument("verb", choices=verbs)
    add("event", _event).add_argument("event", metavar="JSON|-", help="a client event, or - for one a line")
    add("events", _events).add_argument(
        "--filter", action="append", default=[], metavar="PATTERN", help="only types like this, such as 'response.*'"
    )
    add("attach", _attach)
    for word in ("approve", "deny"):
        answer = add(word, _answer, command=word)
        answer.add_argument("call_id", metavar="CALL", help="the id of the call, as status --json has it")
        answer.add_argument("--reason", default="", metavar="TEXT", help="why not, for the model")
    add("reload", _reload)
    return parser


def _add_items(items: Any, add: Callable[..., CommandParser]) -> None:
    added = add("add", _add_item, of=items)
    added.add_argument("text", nargs="?", metavar="TEXT", help="the text of a message")
    added.add_argument("--role", choices=("user", "assistant", "system"), default="user", help="who says it")
    added.add_argument("--item", metavar="JSON", help="the API's item object instead")
    added.add_argument("--id", metavar="ID", help="the item's id")
    added.add_argument("--after", metavar="ID", help="the item to insert after; root for the beginning")
    added.add_argument("--respond", action="store_true", help="ask for a response then")
    add("remove", _remove_item, of=items).add_argument("item_id", metavar="ID")
    cut = add("truncate", _truncate_item, of=items)
    cut.add_argument("item_id", metavar="ID")
    cut.add_argument("audio_end_ms", type=int, metavar="MS", help="what was heard, in milliseconds")
    cut.add_argument("--content-index", type=int, default=0, metavar="N", help="the piece of content")


def _status(client: ControlClient, session: Session, options: Namespace) -> int:
    from runner.cli.ctl_list import print_sessions

    print_sessions(client.request("status", **session)["sessions"], json=options.json)
    return 0


def _say(client: ControlClient, session: Session, options: Namespace) -> int:
    return _told(client.request("say", text=options.text, respond=not options.no_response, **session))


def _respond(client: ControlClient, session: Session, options: Namespace) -> int:
    response = _table(options.fields)
    if options.instructions is not None:
        response["instructions"] = options.instructions
    return _told(client.request("respond", response=response, **session))


def _update(client: ControlClient, session: Session, options: Namespace) -> int:
    return _told(client.request("update", changes=_table(options.fields), **session))


def _add_item(client: ControlClient, session: Session, options: Namespace) -> int:
    from runner.errors import UsageError

    if (options.text is None) == (options.item is None):
        raise UsageError("item add: takes either a TEXT or --item JSON")
    if options.item is not None:
        item = _object(options.item, "--item")
    else:
        kind = "output_text" if options.role == "assistant" else "input_text"
        content = [{"type": kind, "text": options.text}]
        item = {"type": "message", "role": options.role, "content": content}
    if options.id:
        item["id"] = options.id
    place = {"previous_item_id": options.after} if options.after else {}
    result = client.request("item.add", item=item, respond=options.respond, **place, **session)
    sys.stdout.write(f"{result['item_id']}\n")
    return _told(result)


def _remove_item(client: ControlClient, session: Session, options: Namespace) -> int:
    return _told(client.request("item.remove", item_id=options.item_id, **session))


def _truncate_item(client: ControlClient, session: Session, options: Namespace) -> int:
    fields = {name: getattr(options, name) for name in ("item_id", "audio_end_ms", "content_index")}
    return _told(client.request("item.truncate", **fields, **session))


def _plain(client: ControlClient, session: Session, options: Namespace) -> int:
    verb = getattr(options, "verb", "")
    result = client.request(f"{options.command}.{verb}" if verb else options.command, **session)
    if result.get("cancelled") is False:
        sys.stderr.write("there was no answer to cancel\n")
    return _told(result)


def _answer(client: ControlClient, session: Session, options: Namespace) -> int:
    return _told(client.request(options.command, call_id=options.call_id, reason=options.reason, **session))


def _reload(client: ControlClient, _session: Session, _options: Namespace) -> int:
    told = client.request("reload")
    for name, keys in (("changed", told["changed"]), ("changed by ctl, and dropped", told["dropped"])):
        if keys:
            sys.stdout.write(f"{name}: {', '.join(keys)}\n")
    if not told["changed"] and not told["dropped"]:
        sys.stdout.write("nothing has changed\n")
    return 0


def _event(client: ControlClient, session: Session, options: Namespace) -> int:
    for text in sys.stdin if options.event == "-" else [options.event]:
        if text.strip():
            _told(client.request("event", event=_object(text, "event"), **session))
    return 0


def _events(client: ControlClient, session: Session, options: Namespace) -> int:
    def show(part: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(part["event"], ensure_ascii=True) + "\n")
        sys.stdout.flush()

    client.request("events", part=show, filter=options.filter, **session)
    return 0


def _attach(client: ControlClient, session: Session, _options: Namespace) -> int:
    from runner.cli.ctl_attach import attach

    return attach(client, session)


def _told(result: dict[str, Any]) -> int:
    """Say where nothing is confirmed; returns 0."""
    if result.get("confirmed") is False:
        sys.stderr.write("sent, and not confirmed by the endpoint yet\n")
    elif "event_id" in result and "confirmed" not in result:
        sys.stderr.write("sent; endpoints do not confirm such an event\n")
    return 0


def _object(text: str, what: str) -> dict[str, Any]:
    from runner.errors import UsageError

    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{what}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{what}: not a JSON object", hint='such as {"type": "response.create"}')
    return value


def _table(fields: Sequence[str]) -> dict[str, Any]:
    """What `KEY=VALUE` arguments say together, as `--set session.KEY=VALUE` would."""
    from runner.errors import UsageError
    from runner.profile.environment import place

    table: dict[str, Any] = {}
    for key, value in _fields(fields):
        if not place(table, key, value):
            raise UsageError(f"{'.'.join(key)}: contradicts another argument")
    return table


def _fields(fields: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    from runner.errors import UsageError
    from runner.profile.keys import split
    from runner.profile.literals import typed
    from runner.profile.model_keys import slot_at

    for text in fields:
        name, equals, value = text.partition("=")
        try:
            key = split(name.strip())
        except ValueError:
            key = ()
        if not equals or not key:
            raise UsageError(f"{text[:40]}: must be KEY=VALUE", hint='such as instructions="Be brief"')
        slot = slot_at(("session", *key))
        is_cleared = slot is not None and slot.clearable and value == "none"
        yield key, None if is_cleared else typed(value, slot, quotes=True)
