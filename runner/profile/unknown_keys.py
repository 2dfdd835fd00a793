"""What an unknown key was meant to be."""

from typing import Any

from runner.profile.foreign_keys import foreign_hint
from runner.profile.keys import Key, at, dotted
from runner.profile.live_keys import live_hint
from runner.profile.model_keys import all_keys, slot_at
from runner.profile.suggestion import choice, nearest, suggested
from runner.settings.secret import KINDS as SECRET_KINDS


def meant_by(key: Key, tree: dict[str, Any]) -> str:
    """A hint at the key that an unknown one was meant to be, or at where it belongs; empty where nothing is near."""
    parent, name = key[:-1], str(key[-1])
    slot = slot_at(parent, tree)
    if slot is None:
        return ""
    table = at(tree, parent)
    if parent[:1] == ("auth",) and name in SECRET_KINDS and isinstance(table, dict):
        kinds = [each for each in table if each in SECRET_KINDS]
        if len(kinds) > 1:
            return f"a reference is of one kind: keep {' or '.join(kinds)}"
    if hint := live_hint(key, tree) or foreign_hint(key):
        return hint
    names = slot.for_value(table).names()
    if near := nearest(name, names):
        return suggested(near[0])
    others = [tag for tag, model in slot.alternatives if tag and name in getattr(model, "model_fields", {})]
    if others:
        return f"only {choice(others)} takes it"
    homes = [each[:-1] for each in all_keys() if each[-1] == name and each[:-1] != parent]
    homes = [each for each in homes if len(each) == min(map(len, homes))]
    if len(homes) == 1:
        return f"it belongs in [{dotted(homes[0])}]" if homes[0] else "it belongs at the top, before all tables"
    return f"there are {', '.join(names)}" if 0 < len(names) <= 12 else ""
