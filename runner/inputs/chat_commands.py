"""The commands of a chat: lines that begin with a slash and that nobody says."""

from __future__ import annotations

import re
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from runner.errors import reason_of
from runner.inputs.usage_line import usage_line

if TYPE_CHECKING:
    from runner.protocol.item import Item
    from runner.session.session import Session

_COMMAND: Final = re.compile(r"/(?P<name>[a-z]+)(?:\s+(?P<rest>.*))?")
_HELP: Final = """\
/usage         what the session has used so far
/save [FILE]   write the conversation to a new file, as Markdown
/quit          leave, as Ctrl-D does
A space before the slash sends a line that is no command.
Enter sends, Alt-Enter begins a new line, Ctrl-C stops an answer."""
_NAMES: Final = {"user": "User", "assistant": "Assistant", "system": "System"}


class ChatCommands:
    """Carries out the commands of one chat.

    Args:
        session: The session.
        save_as: The name of the file that `/save` writes where it is given none.
    """

    def __init__(self, session: Session, save_as: str) -> None:
        self._session = session
        self._save_as = save_as
        self._since_s = monotonic()
        self.is_over = False
        """Whether the user has left."""

    async def carry_out(self, line: str) -> str | None:
        """Do what a line asks for; returns what is to be told, or None where the line is no command."""
        found = _COMMAND.fullmatch(line.rstrip())
        if found is None:
            return None
        match found["name"]:
            case "usage":
                return usage_line(self._session.usage, self._session.carriage.cost(), monotonic() - self._since_s)
            case "save":
                return await anyio.to_thread.run_sync(self._save, (found["rest"] or self._save_as).strip())
            case "quit":
                self.is_over = True
                return ""
            case "help":
                return _HELP
            case name:
                return f"there is no command /{name}; /help lists them, and a space before the slash sends the line"

    def _save(self, name: str) -> str:
        items = [each for each in self._session.state.conversation.items if each.type == "message" and each.text]
        try:
            path = Path(name).expanduser()
            # For its owner only, and never over a file that exists.
            path.touch(mode=0o600, exist_ok=False)
            path.write_text("".join(_turn(each) for each in items), encoding="utf-8")
        except FileExistsError:
            return f"{name} exists already; name another file: /save FILE"
        except (OSError, ValueError, RuntimeError) as error:
            return f"{name} cannot be written: {reason_of(error)}"
        return f"the conversation is in {name}"


def _turn(item: Item) -> str:
    text = item.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    mark = " *(incomplete)*" if item.status == "incomplete" else ""
    return f"**{_NAMES.get(item.role, item.role)}**{mark}\n\n{text}\n\n"
