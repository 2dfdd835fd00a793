"""`rt-run completion`: completion scripts for shells, made from the commands themselves."""

import argparse
import sys
from typing import Any, NamedTuple

SHELLS = ("bash", "zsh", "fish")


class Command(NamedTuple):
    """What a shell may complete after one command."""

    name: str
    summary: str
    flags: tuple[str, ...]
    words: tuple[str, ...]
    """The choices of its arguments."""
    takes_profile: bool
    flag_choices: dict[str, tuple[str, ...]]


def add_parser(subparsers: Any, root: argparse.ArgumentParser) -> None:
    """Add the command to the command line.

    Args:
        subparsers: The action that holds all commands.
        root: The parser of the whole command line, for the flags before any command.
    """
    parser = subparsers.add_parser("completion", help="print a completion script for a shell")
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(run=lambda args: run(args, subparsers, root))


def run(args: argparse.Namespace, subparsers: Any, root: argparse.ArgumentParser) -> int:
    """Print the script; it asks `rt-run list --names` for the profiles."""
    summaries = {choice.dest: choice.help or "" for choice in subparsers._choices_actions}  # noqa: SLF001  # argparse has no public way to list what it knows
    commands = [_command(name, parser, summaries.get(name, "")) for name, parser in subparsers.choices.items()]
    top = _command("", root, "")
    sys.stdout.write({"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](top, commands))
    return 0


def _command(name: str, parser: argparse.ArgumentParser, summary: str) -> Command:
    actions = [each for each in parser._actions if each.help != argparse.SUPPRESS]  # noqa: SLF001  # argparse has no public way to list what it knows
    groups = argparse._SubParsersAction  # noqa: SLF001  # argparse has no public way to list what it knows
    positional = [each for each in actions if not each.option_strings and not isinstance(each, groups)]
    return Command(
        name,
        summary,
        tuple(flag for each in actions for flag in each.option_strings if flag.startswith("--")),
        tuple(str(word) for each in positional for word in each.choices or ()),
        any(each.metavar == "NAME|PATH" for each in positional),
        {
            flag: tuple(map(str, each.choices))
            for each in actions
            if each.choices
            for flag in each.option_strings
            if flag.startswith("--")
        },
    )


def _bash(top: Command, commands: list[Command]) -> str:
    cases = "".join(
        f"    {each.name}) words={_quoted(each.flags, each.words)}; profiles={int(each.takes_profile)} ;;\n"
        for each in commands
    )
    choices = "".join(
        f"    {each.name}:{flag}) words={_quoted(words)}; profiles=0 ;;\n"
        for each in [*commands, top]
        for flag, words in each.flag_choices.items()
    )
    return f"""# bash completion for rt-run: source <(rt-run completion bash)
_rt_run() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous="" command="" word words profiles index
  ((COMP_CWORD > 0)) && previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${{COMP_WORDS[index]}}
    case $word in
    {"|".join(each.name for each in commands)}) command=$word; break ;;
    esac
  done
  case $command in
{cases}    *)
      words={_quoted(top.flags, [each.name for each in commands])}
      profiles=0 ;;
  esac
  case $command:$previous in
    *:--profile|*:-p) words=""; profiles=1 ;;
    *:--profiles-dir|*:--dir) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")); return ;;
{choices}  esac
  if ((profiles)) && [[ $current != -* ]]; then
    words="$words $(rt-run list --names 2>/dev/null)"
    COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -X '!*.toml' -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -F _rt_run rt-run
"""


def _zsh(top: Command, commands: list[Command]) -> str:
    described = "\n".join(f"    '{each.name}:{_plain(each.summary)}'" for each in commands)
    cases = "\n".join(
        f"    {each.name}) found=({' '.join([*each.flags, *each.words])}); profiles={int(each.takes_profile)} ;;"
        for each in commands
    )
    choices = "\n".join(
        f"    {each.name}:{flag}) found=({' '.join(words)}); profiles=0 ;;"
        for each in [*commands, top]
        for flag, words in each.flag_choices.items()
    )
    return f"""#compdef rt-run
# zsh completion for rt-run: put this file into a folder of $fpath as _rt-run
_rt_run() {{
  local command="" word profiles=0
  local -a commands found names
  commands=(
{described}
  )
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    [[ -n $word && -n "${{(M)commands[@]:#$word:*}}" ]] && {{ command=$word; break }}
  done
  local previous=${{words[CURRENT-1]}}
  found=()
  case $command in
{cases}
    *) found=({" ".join(top.flags)}); _describe 'command' commands ;;
  esac
  case $command:$previous in
    *:--profile|*:-p) found=(); profiles=1 ;;
    *:--profiles-dir|*:--dir) _files -/; return ;;
{choices}
  esac
  compadd -a found
  if (( profiles )); then
    names=("${{(@f)$(rt-run list --names 2>/dev/null)}}")
    compadd -a names
    _files -g '*.toml'
  fi
}}
compdef _rt_run rt-run
"""


def _fish(top: Command, commands: list[Command]) -> str:
    names = " ".join(each.name for each in commands)
    lines = [
        "# fish completion for rt-run: rt-run completion fish > ~/.config/fish/completions/rt-run.fish",
        "complete -c rt-run -f",
        f"set -l rt_run_commands {names}",
    ]
    none = '"not __fish_seen_subcommand_from $rt_run_commands"'
    asks = "'(rt-run list --names 2>/dev/null)'"
    lines += [f"complete -c rt-run -n {none} -a {each.name} -d '{_plain(each.summary)}'" for each in commands]
    for each in [top, *commands]:
        condition = f"'__fish_seen_subcommand_from {each.name}'" if each.name else none
        for flag in each.flags:
            values = each.flag_choices.get(flag, ())
            value = f" -x -a '{' '.join(values)}'" if values else f" -x -a {asks}" if flag == "--profile" else ""
            value = " -r -F" if flag in ("--profiles-dir", "--dir") else value
            lines.append(f"complete -c rt-run -n {condition} -l {flag.removeprefix('--')}{value}")
        if each.words:
            lines.append(f"complete -c rt-run -n {condition} -a '{' '.join(each.words)}'")
        if each.takes_profile:
            lines.append(f"complete -c rt-run -n {condition} -F -a {asks}")
    return "\n".join(lines) + "\n"


def _quoted(*groups: Any) -> str:
    return '"' + " ".join(word for group in groups for word in group) + '"'


def _plain(text: str) -> str:
    return text.replace("'", "").replace(":", "")
