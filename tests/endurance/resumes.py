"""`python -m tests.endurance.resumes [ENDS [SEED]]`: a conversation goes on after each SIGKILL of its process.

Each answer needs two calls of one response: `pay`, which must not be done twice, and `look`, which may. What has to
hold after each end: the state file has what was written through, and the next process goes on with exactly that; at the
end, every question stands in the conversation once and is answered, every call has one output, no payment was made
twice, and usage and counts are those of the whole conversation.
"""

import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from runner.resume.opened_state import header_of, open_state
from runner.resume.saved_state import SavedState
from runner.resume.state_model import SavedItem
from tests.helpers.command_process import Command, Ended, profile

ENDS = 50
_LONGEST = 95
"""The latest moment at which a process is ended."""
_TOOLS = """
from pathlib import Path
from tests.helpers.sudden_end import done

async def pay(order: str) -> str:
    done(Path("world"), f"pay {order}")
    return f"paid {order}"

async def look(order: str) -> str:
    done(Path("world"), f"look {order}")
    return f"saw {order}"
"""
_PROFILE = """
[endpoint]
kind = "local"
[[endpoint.script]]
match = "order (\\\\d+)"
reply = "I look."
calls = [{ name = "pay", arguments = { order = "\\\\1" } }, { name = "look", arguments = { order = "\\\\1" } }]
[session]
output_modalities = ["text"]
[[tools]]
name = "pay"
description = "Pay an order."
run = { kind = "python", function = "shop:pay", path = "." }
[[tools]]
name = "look"
description = "Look an order up."
retries = 1
run = { kind = "python", function = "shop:look", path = "." }
[run]
max_response_retries = 100
[run.limits]
max_turns = 1000
max_tool_calls = 1000
[run.resume]
path = "state"
"""


@dataclass
class Trial:
    """What has come of a conversation."""

    processes: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """What the state said when a process had ended."""
    payments: int = 0
    unknown: int = 0
    """Calls whose outcome is unknown to the model."""
    wrong: list[str] = field(default_factory=list)


def converse(folder: Path, seed: int, *, ends: int, questions: int) -> Trial:
    """Have a conversation whose process is ended so often, and then once more to its end.

    Args:
        folder: Where its files are.
        seed: Says at which moments.
        ends: How many processes are ended.
        questions: How many questions are asked in all.
    """
    chance, trial = random.Random(seed), Trial()  # noqa: S311  # repeatable, and hides nothing
    profile(folder, _PROFILE)
    (folder / "profiles" / "shop.py").write_text(_TOOLS)
    asked = [f"order {number}?" for number in range(1, questions + 1)]
    for last in [*(chance.randint(1, _LONGEST) for _ in range(ends)), 0]:
        known = _state(folder)
        said = [each.texts[0] for each in known.items.values() if each.role == "user"] if known else []
        if said != asked[: len(said)]:
            trial.wrong.append(f"{said} was asked")
        # As many questions as there are processes would leave the last ones nothing to be ended in.
        most = len(said) + 1 if last else questions
        ended = _run(folder, last, asked[len(said) : most])
        trial.processes += 1
        _judge(folder, trial, ended, known, is_last=not last)
    return trial


def _run(folder: Path, last: int, questions: list[str]) -> Ended:
    before = f"from tests.helpers.sudden_end import end_at; end_at({last})"
    command = Command("-p", "test", "--log-format", "json", folder=folder, before=before)
    ended = command.end("".join(f"{each}\n" for each in questions))
    command.release()
    return ended


def _state(folder: Path) -> SavedState | None:
    """What the state says, None where there is none."""
    if not (folder / "state").exists():
        return None
    file, saved = open_state(folder / "state", header_of("test", {}), is_fresh=False)
    file.close()
    return saved


def _judge(folder: Path, trial: Trial, ended: Ended, before: SavedState | None, *, is_last: bool) -> None:
    world = Counter((folder / "world").read_text().splitlines()) if (folder / "world").exists() else Counter[str]()
    trial.payments = sum(count for what, count in world.items() if what.startswith("pay"))
    trial.wrong += [f"{what} was done {count} times" for what, count in world.items() if count > 1 and what[0] == "p"]
    saved = _state(folder)
    if saved is None:
        return
    trial.ends[_where(saved)] += 1
    kept = [item for item in before.items.values() if _is_kept(before, item)] if before else []
    gone = [item for item in kept if item.id not in saved.items or saved.items[item.id].texts != item.texts]
    trial.wrong += [f"{item} was written through" for item in gone]
    resumed = [each.get("items", 0) for each in ended.log if each["event"] == "state_resumed"]
    if resumed not in ([len(kept)], []):
        trial.wrong.append(f"went on with {resumed} of {len(kept)} items")
    if is_last:
        _judge_end(trial, ended, saved, world)


def _is_kept(before: SavedState, item: SavedItem) -> bool:
    """Whether an item stays: what a response has said that is asked for again goes."""
    return not item.response_id or item.response_id not in {each.response_id for each in before.work.requests}


def _where(saved: SavedState) -> str:
    """Where the conversation was."""
    if saved.calls:
        return "in a call"
    return "between calls" if saved.work.rounds else "in an answer" if saved.work.requests else "between turns"


def _judge_end(trial: Trial, ended: Ended, saved: SavedState, world: Counter[str]) -> None:
    items = list(saved.items.values())
    questions = [each.texts[0] for each in items if each.role == "user"]
    calls = [each for each in items if each.type == "function_call"]
    outputs = {each.call_id: each.texts[0] for each in items if each.type == "function_call_output"}
    unknown = [each for each in outputs.values() if each.startswith("interrupted, outcome unknown")]
    trial.unknown = len(unknown)
    trial.wrong += [f"exit code {ended.code}: {ended.stderr}"] if ended.code else []
    trial.wrong += [f"{saved.work} is left"] if saved.work.requests or saved.work.rounds or saved.calls else []
    if len(questions) != len(set(questions)):
        trial.wrong.append(f"{questions} were asked")
    if sorted(each.call_id for each in calls) != sorted(outputs) or len(calls) != 2 * len(questions):
        trial.wrong.append(f"{len(calls)} calls of {len(questions)} questions have {len(outputs)} outputs")
    for call in calls:
        done = f"{call.name} {''.join(filter(str.isdigit, call.texts[0]))}"
        is_told = outputs[call.call_id] in {done.replace("pay", "paid").replace("look", "saw"), *unknown}
        if not is_told or (not world[done] and not outputs[call.call_id].startswith("interrupted")):
            trial.wrong.append(f"{done} has the output {outputs[call.call_id]}, and was done {world[done]} times")
    counted = saved.counts.turns, saved.counts.calls, saved.usage["test"]["responses"]
    # An answer that the end of a process has cut off is no answer, so that it is counted once.
    if counted != (len(questions), len(calls), 2 * len(questions)):
        trial.wrong.append(f"turns, calls and responses are {counted} of {len(questions)} questions")


def main() -> None:
    """Have one conversation, and print what has come of it."""
    ends, seed = (int(sys.argv[1]) if len(sys.argv) > 1 else ENDS), (int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    with tempfile.TemporaryDirectory() as folder:
        trial = converse(Path(folder), seed, ends=ends, questions=ends + 5)
    print(trial)
    sys.exit(bool(trial.wrong))


if __name__ == "__main__":
    main()
