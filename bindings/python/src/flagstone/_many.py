"""Evaluation of several flags in one native call through ctypes. Depends on ``_fast``, ``_abi``, ``_defaults``,
``_lib`` and ``detail``."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import addressof, c_size_t, c_void_p, create_string_buffer
from struct import Struct
from typing import Any

from . import _abi
from ._defaults import packed
from ._fast import ANY, DETAIL, KEPT, REASON, Buffer, Calls, take
from ._lib import unchecked
from .detail import EvaluationDetail


class Block:
    """Memory for a call that asks for several flags: one piece for the texts and one for the details, as objects for every
    one of them would cost more than the evaluation."""

    __slots__ = ("addresses", "contents", "details", "start", "texts")

    def __init__(self, keys: int, texts: int) -> None:
        self.texts = create_string_buffer(texts)
        self.details = create_string_buffer(_CLEARED * keys, keys * DETAIL)
        self.contents = memoryview(self.details).cast("B")
        self.start = addressof(self.texts)
        start = addressof(self.details)
        self.addresses = [c_void_p(start + index * DETAIL) for index in range(keys)]


_CLEARED = bytes(_abi.Detail(struct_size=DETAIL))
_cut = Struct(f"{DETAIL}s")
_clear = unchecked("flagstone_detail_clear", keeps_gil=True)
_free_blocks: list[Block] = []
_MOST_FREE = 64
# What a block of the pool holds. ctypes keeps the type of each size for good: others are rounded.
_KEYS, _TEXTS = 64, 4096
_places = [Struct(f"{2 * count}N") for count in range(_KEYS + 1)]


def many(
    calls: Calls, client: c_void_p, context: c_void_p, keys: list[bytes], defaults: Iterable[Any] | None
) -> list[Buffer | EvaluationDetail[Any]]:
    """Several flags for one context: results that are known, and buffers with those that are not. ``defaults`` are those of
    events; ``None``: null for all."""
    count, joined = len(keys), b"".join(keys)
    size = 16 * count + len(joined)
    block = _take_block(count, size)
    places: list[int] = []
    at = block.start + 16 * count
    for key in keys:
        length = len(key)
        places += (at, length)
        at += length
    block.texts.raw = (_places[count] if count <= _KEYS else Struct(f"{2 * count}N")).pack(*places) + joined
    block.details.raw = _CLEARED * count
    lent: list[Any] = []
    told_all = None if defaults is None else b"".join([packed(default, lent) for default in defaults])
    calls.many(client, context, block.texts, told_all, c_size_t(count), REASON, block.details)
    known = KEPT[ANY]
    found: list[Buffer | EvaluationDetail[Any]] = []
    for (content,), address in zip(_cut.iter_unpack(block.contents[: count * DETAIL]), block.addresses):
        kept = known.get(content)
        if kept is None:
            # What the detail borrows goes with it.
            buffer = take()
            buffer.content.raw = content
            found.append(buffer)
            continue
        if kept.borrows:
            _clear(address)
        found.append(kept.found if kept.json is None else kept.again())
    if len(block.addresses) == _KEYS and len(block.texts) == _TEXTS and len(_free_blocks) < _MOST_FREE:
        _free_blocks.append(block)
    return found


def _take_block(count: int, size: int) -> Block:
    if count <= _KEYS and size <= _TEXTS:
        try:
            return _free_blocks.pop()
        except IndexError:
            pass
    return Block(max(_KEYS, 1 << count.bit_length()), max(_TEXTS, 1 << size.bit_length()))
