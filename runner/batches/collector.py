"""How often the garbage collector looks while rows run."""

import gc
from typing import Final

_OBJECTS: Final = 10_000
"""So many new objects are some ten rows; Python looks at every 700, several times while each row runs."""


def collect_rarely() -> None:
    """Have the garbage collector leave alone what there is by now, and look less often at what comes."""
    gc.freeze()
    gc.set_threshold(_OBJECTS)
