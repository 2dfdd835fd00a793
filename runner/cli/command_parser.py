"""Arguments that do not fit: which word is wrong, and what was probably meant."""

import argparse
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

_CHOICE = re.compile(r"invalid choice: '(?P<given>.*)' \(choose from ", re.DOTALL)
_ELSEWHERE = {
    "help": "rt-run --help",
    "version": "rt-run --version",
    "chat": "rt-run --profile NAME",
    "profile": "rt-run --profile NAME",
    "run": "rt-run --profile NAME",
    "start": "rt-run --profile NAME",
    "validate": "rt-run check",
    "lint": "rt-run check",
    "new": "rt-run init",
}
"""What other programs call their commands."""


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors name the word that is wrong, and are raised like all others."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # An abbreviation would be taken for another flag: `check --profile NAME` for `--profiles-dir`.
        super().__init__(*arguments, **{**options, "allow_abbrev": False})
        self._given: list[str] = []
        self._subcommands: Any = None

    def add_subparsers(self, **options: Any) -> Any:
        """Let commands be added, as argparse does, and remember them."""
        self._subcommands = super().add_subparsers(**options)
        return self._subcommands

    def parse_known_args(  # type: ignore[override]  # argparse's overloads
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse what fits, as argparse does, and remember what was given."""
        self._given = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(self._given, namespace)

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UsageError: Always.
        """
        from runner.errors import UsageError
        from runner.profile.keys import redacted

        commands = self._commands()
        chosen = next((word for word in self._given if word in commands), "")
        before = self._given[: self._given.index(chosen)] if chosen else self._given
        raised = sys.exc_info()[1]
        argument = getattr(raised, "argument_name", None) or ""
        if flag := self._unknown_flag(before):
            raise UsageError(f"there is no flag {flag}", hint=self._meant_flag(flag))
        if message.startswith("unrecognized arguments: ") and chosen:
            commands[chosen].refuse_rest(self._given[len(before) + 1 :], message, self._option_string_actions)
        if found := _CHOICE.search(message):
            given = redacted(found["given"])
            if argument == "COMMAND":
                raise UsageError(f"there is no command {given!r}", hint=self._meant(given, list(commands)))
            raise UsageError(f"{argument}: there is no {given!r}", hint=self._meant_choice(given, argument))
        if message.endswith(": expected one argument"):
            action = next(each for each in self._actions if "/".join(each.option_strings) == argument)
            takes = action.metavar or "|".join(map(str, action.choices or ()))
            raise UsageError(f"{argument}: nothing stands after it", hint=f"write {argument.split('/')[-1]} {takes}")
        hint = f"`{self.prog} --help` lists what there is"
        if self.epilog and message.startswith("the following arguments are required: "):
            example = self.epilog.partition("examples:\n")[2].partition("\n")[0].strip()
            hint = f"such as: {example}"
        raise UsageError(redacted(message), hint=hint)

    def refuse_rest(self, given: Sequence[str], message: str, before: Collection[str]) -> NoReturn:
        """Refuse arguments that this command does not take.

        Args:
            given: What stands after the command.
            message: What argparse says of it.
            before: The flags that may stand before a command.

        Raises:
            UsageError: Always.
        """
        from runner.errors import UsageError
        from runner.profile.keys import redacted

        commands = self._commands()
        if chosen := next((word for word in given if word in commands), ""):
            commands[chosen].refuse_rest(given[given.index(chosen) + 1 :], message, before)
        if flag := self._unknown_flag(given):
            hint = self._meant_flag(flag)
            if flag in ("-p", "--profile"):
                hint = f"write the name alone: {self.prog} NAME"
            elif flag in before:
                hint = f"it stands before the command: rt-run {flag} {self._name}"
            raise UsageError(f"{self._name}: there is no flag {flag}", hint=hint)
        rest = redacted(message.removeprefix("unrecognized arguments: "))
        raise UsageError(f"{self._name}: {rest} is too much", hint=f"`{self.prog} --help` lists what there is")

    @property
    def _name(self) -> str:
        return self.prog.partition(" ")[2] or self.prog

    def _commands(self) -> "dict[str, CommandParser]":
        return dict(self._subcommands.choices) if self._subcommands else {}

    def _unknown_flag(self, given: Sequence[str]) -> str:
        """The first flag that this parser does not know."""
        for word in given:
            if word == "--":
                break
            flag = word.partition("=")[0]
            # Short ones may stand together, or have their value attached.
            known = flag in self._option_string_actions or (
                word[:2] in self._option_string_actions and word[1:2] != "-"
            )
            if len(word) > 1 and word.startswith("-") and not word[1:2].isdigit() and not known:
                return flag
        return ""

    def _meant(self, given: str, commands: list[str]) -> str:
        from runner.profile.suggestion import nearest

        if " " not in self.prog:
            names_profile = any(each.startswith(("-p", "--profile")) for each in self._given)
            after = self._given[self._given.index(given) + 1 :] if given in self._given else []
            return _meant_command(given, commands, after, may_ask=names_profile or " " in given)
        near = nearest(given, commands)
        return f"did you mean {near[0]}?" if near else f"`{self.prog} --help` lists the commands"

    def _meant_flag(self, flag: str) -> str:
        from runner.profile.suggestion import nearest

        folded = {each.lower(): each for each in self._option_string_actions if each.startswith("--")}
        near = nearest(flag, list(folded)) or [each for each in folded if each.strip("-")[0] == flag.strip("-").lower()]
        return f"did you mean {folded[near[0]]}?" if near else f"`{self.prog} --help` lists what there is"

    def _meant_choice(self, given: str, argument: str) -> str:
        from runner.profile.suggestion import choice, nearest

        action = next(
            (
                each
                for each in self._actions
                if argument in (*each.option_strings, each.metavar, "/".join(each.option_strings))
            ),
            None,
        )
        words = [str(each) for each in action.choices] if action and action.choices else []
        near = [each for each in words if given.lower() in each.split("-")] or nearest(given, words)
        return f"did you mean {choice(near)}?" if near else f"it is {choice(words)}"


def _meant_command(given: str, commands: list[str], after: Sequence[str], *, may_ask: bool) -> str:
    import os

    from runner.errors import ProfileError
    from runner.profile.locate import is_path, known
    from runner.profile.suggestion import nearest

    try:
        names = {path.stem for path in known(None, os.environ)}
    except ProfileError:
        names = set()
    if given in names or is_path(given):
        return f"did you mean rt-run --profile {given}?"
    if given in _ELSEWHERE:
        name = next((word for word in after if word in names or is_path(word)), "NAME")
        return f"did you mean {_ELSEWHERE[given].replace('NAME', name)}?"
    if near := nearest(given, commands):
        return f"did you mean rt-run {near[0]}?"
    if near := nearest(given, sorted(names)):
        return f"did you mean rt-run --profile {near[0]}?"
    return "to ask something: rt-run --profile NAME --ask TEXT" if may_ask else "`rt-run --help` lists the commands"
