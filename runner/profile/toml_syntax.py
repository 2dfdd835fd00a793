"""TOML text → tables, or what is wrong with the text, at its place and in words that say what to write."""

import re
from typing import Any

import tomli

from runner.profile.keys import DEPTH_LIMIT, depth
from runner.profile.odd_characters import called, first_odd
from runner.profile.problems import Place, ProfileProblems, problem_at

_PAIR = re.compile(r"\s*(?P<key>[A-Za-z0-9_.\"' -]{1,100}?)\s*=\s*(?P<value>.*)")
_YAML = re.compile(r"\s*[\w-]+\s*:")
_TYPOGRAPHIC_QUOTES = "“”„\u2018\u2019"
_DECLARED = re.compile(r"Cannot declare \('(?P<name>.*?)',?\) twice")


def parsed(text: str, label: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Args:
        text: The text.
        label: Its file, as messages call it.

    Raises:
        ProfileProblems: It is not TOML, or holds what no profile can.
    """
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        line, column, problem, hint = _explained(error, text.split("\n"))
        raise ProfileProblems([problem_at(Place(label, line, column), (), problem, hint, code="syntax")]) from None
    except RecursionError:
        data = None
    except ValueError:  # Python bounds the digits of an integer
        place = Place(label, _longest_line(text), 1)
        raise ProfileProblems([problem_at(place, (), "a number has too many digits", code="integer-range")]) from None
    if data is None or depth(data) > DEPTH_LIMIT:
        problem = f"tables and arrays nest deeper than {DEPTH_LIMIT} levels"
        raise ProfileProblems([problem_at(Place(label, _deepest_line(text), 1), (), problem, code="too-deep")])
    return data


def _explained(error: tomli.TOMLDecodeError, lines: list[str]) -> tuple[int, int, str, str]:
    """Line, column, problem and hint."""
    line = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
    start = len(line) - len(line.lstrip()) + 1
    pair = _PAIR.match(line)
    if error.msg == "Cannot overwrite a value" and pair:
        return error.lineno, start, f"not TOML: the key {pair['key']} is here a second time", "remove one of them"
    if declared := _DECLARED.match(error.msg):
        name = ".".join(declared["name"].split("', '"))
        if any(each.lstrip().startswith(f"[[{name}]]") for each in lines):
            return error.lineno, start, f"not TOML: {name} is an array of tables", f"write [[{name}]], as before"
        return error.lineno, start, f"not TOML: the table [{name}] is here a second time", "put its keys into the first"
    hint = _hint(error.msg, line, line[error.colno - 1 : error.colno])
    return error.lineno, error.colno, f"not TOML: {error.msg[:1].lower()}{error.msg[1:]}", hint


def _hint(message: str, line: str, here: str) -> str:
    """What to write instead, where the line, or the character at which it fails, shows what was meant."""
    pair = _PAIR.match(line)
    if odd := first_odd(here.strip("\t\r"), more=_TYPOGRAPHIC_QUOTES):
        return f"here stands {called(odd)}: type it anew"
    if message == "Invalid value" and pair:
        return _quotes_missing(pair["key"], pair["value"])
    if line.startswith("{"):
        return "a profile is TOML, not JSON: key = value"
    return "write key = value" if message.startswith("Expected '='") and _YAML.match(line) else ""


def _quotes_missing(key: str, value: str) -> str:
    word = value.partition("#")[0].strip()
    if word.lower() in ("true", "false"):
        return f"write {key} = {word.lower()}"
    if word.lower() in ("none", "null", "nil"):
        return f'write {key} = "none", or leave it out'
    return f'a text stands in quotes: {key} = "…"' if re.match(r"[A-Za-z/~.$]", word) else ""


def _longest_line(text: str) -> int:
    lines = text.split("\n")
    return max(range(len(lines)), key=lambda index: sum(map(str.isalnum, lines[index]))) + 1


def _deepest_line(text: str) -> int:
    lines = text.split("\n")
    return max(range(len(lines)), key=lambda index: sum(map(lines[index].count, "[{."))) + 1
