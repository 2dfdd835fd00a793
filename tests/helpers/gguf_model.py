"""A language model of a few words, made by hand: after each word it says the one that a table gives."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

WORDS = ("<unk>", "<s>", "</s>", "[system]", "[user]", "[assistant]", "Good", " day", " night", "polite", "tired")
"""Its vocabulary, apart from single bytes; the first three mean nothing, the beginning and the end."""

_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _INT32 = 4, 6, 7, 8, 9, 5
_ALIGNMENT = 32
Tensor = tuple[tuple[int, ...], bytes]


def write_model(path: Path, chain: Mapping[str, str], template: str) -> Path:
    """Write a llama whose layers do nothing, so that only the last word counts: it is followed by `chain`'s."""
    tokens = [*WORDS, *(f"<0x{byte:02X}>" for byte in range(256))]
    width = len(tokens) + -len(tokens) % _ALIGNMENT
    numbers = {word: index for index, word in enumerate(WORDS)}
    tensors = {
        "token_embd.weight": _matrix(len(tokens), width, [(index, index) for index in range(len(tokens))]),
        "output.weight": _matrix(
            len(tokens), width, [(numbers[after], numbers[word]) for word, after in chain.items()]
        ),
        "output_norm.weight": _ones(width),
        "blk.0.attn_norm.weight": _ones(width),
        "blk.0.ffn_norm.weight": _ones(width),
        "blk.0.ffn_gate.weight": _matrix(_ALIGNMENT, width),
        "blk.0.ffn_up.weight": _matrix(_ALIGNMENT, width),
        "blk.0.ffn_down.weight": _matrix(width, _ALIGNMENT),
        **{f"blk.0.attn_{part}.weight": _matrix(width, width) for part in ("q", "k", "v", "output")},
    }
    facts = [
        _string("general.architecture", "llama"),
        _number("llama.context_length", 8192),
        _number("llama.embedding_length", width),
        _number("llama.block_count", 1),
        _number("llama.feed_forward_length", _ALIGNMENT),
        _number("llama.attention.head_count", 1),
        _number("llama.rope.dimension_count", width),
        _fact("llama.attention.layer_norm_rms_epsilon", _FLOAT32, struct.pack("<f", 1e-5)),
        _string("tokenizer.ggml.model", "llama"),
        _list("tokenizer.ggml.tokens", _STRING, map(_text, tokens)),
        _list("tokenizer.ggml.scores", _FLOAT32, (struct.pack("<f", 0.0) for _ in tokens)),
        _list("tokenizer.ggml.token_type", _INT32, (struct.pack("<i", each) for each in _types(len(tokens)))),
        _number("tokenizer.ggml.bos_token_id", 1),
        _number("tokenizer.ggml.eos_token_id", 2),
        _fact("tokenizer.ggml.add_space_prefix", _BOOL, b"\0"),
        _string("tokenizer.chat_template", template),
    ]
    head, body = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(facts)) + b"".join(facts), b""
    for name, (shape, values) in tensors.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(body))
        body += values + bytes(-len(values) % _ALIGNMENT)
    path.write_bytes(head + bytes(-len(head) % _ALIGNMENT) + body)
    return path


def sentence(*said: str) -> dict[str, str]:
    """The part of a chain that says these words one after the other."""
    return dict(pairwise(said))


def _types(count: int) -> list[int]:
    # One that is unknown, two that control, those that are parsed out of any text, and bytes.
    return [2, 3, 3, *[4] * (len(WORDS) - 3), *[6] * (count - len(WORDS))]


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _fact(key: str, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


def _string(key: str, value: str) -> bytes:
    return _fact(key, _STRING, _text(value))


def _number(key: str, value: int) -> bytes:
    return _fact(key, _UINT32, struct.pack("<I", value))


def _list(key: str, kind: int, values: Iterable[bytes]) -> bytes:
    items = list(values)
    return _fact(key, _ARRAY, struct.pack("<IQ", kind, len(items)) + b"".join(items))


def _ones(size: int) -> Tensor:
    return (size,), struct.pack(f"<{size}f", *[1.0] * size)


def _matrix(rows: int, columns: int, ones: Sequence[tuple[int, int]] = ()) -> Tensor:
    values = [0.0] * (rows * columns)
    for row, column in ones:
        values[row * columns + column] = 1.0
    return (columns, rows), struct.pack(f"<{len(values)}f", *values)
