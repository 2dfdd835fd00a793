"""Masking, which RFC 6455 demands of every frame that a client sends."""

import functools
from collections.abc import Callable

_C_PAYS_FROM_BYTES = 2048


def masked(payload: bytes, mask: bytes) -> bytes:
    """The payload under a mask of four bytes."""
    if len(payload) < _C_PAYS_FROM_BYTES:
        key = int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)])
        return (int.from_bytes(payload) ^ key).to_bytes(len(payload))
    return _fast_mask()(payload, mask)


@functools.cache
def _fast_mask() -> Callable[[bytes, bytes], bytes]:
    """A loop in C, which the standard library lacks; imported late, since a session may never send so much."""
    try:
        from websockets.speedups import apply_mask
    except ImportError:  # a platform without the compiled part
        from websockets.utils import apply_mask
    return apply_mask
