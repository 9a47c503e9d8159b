"""A sound model → copies with one thing in them damaged, the same ones for the same seed.

What is hit is what a header consists of: lengths, kinds, counts, places, sizes. Of a copy nobody
can say that it must be refused: a letter in a model's name does no harm.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from tests.vocabularies import ARRAY, PLAIN, STRING

WEIRD = (-1, 0, 3, 10**6, 10**9, 10**30, 1.5, 1e308, True, None, "", "../x", [], {}, "\ud800")
"""Values that no size, name or list has."""


def gguf_copies(source: Path, target: Path, seed: int) -> Iterator[Path]:
    """Writes one damaged GGUF after the other to `target`, without end."""
    random, whole = Random(seed), source.read_bytes()
    fields = list(gguf_fields(whole))
    header = fields[-1][0]
    while True:
        damaged = bytearray(whole)
        match random.randrange(4):
            case 0:
                del damaged[random.randrange(header) :]
            case 1:
                for _ in range(random.choice((1, 4, 16))):
                    damaged[random.randrange(4, header)] = random.randrange(256)
            case _:
                place, size = random.choice(fields)
                damaged[place : place + size] = random.randbytes(size)
        target.write_bytes(damaged)
        yield target


def gguf_fields(data: bytes) -> Iterator[tuple[int, int]]:
    """Place and size of everything in a header by which readers find their way."""
    yield from ((4, 4), (8, 8), (16, 8))
    tensors, keys = struct.unpack_from("<QQ", data, 8)
    place = 24
    for _ in range(keys):
        place = yield from _text(data, place)
        kind = struct.unpack_from("<I", data, place)[0]
        yield place, 4
        place = yield from _value(data, place + 4, kind)
    for _ in range(tensors):
        place = yield from _text(data, place)
        count = struct.unpack_from("<I", data, place)[0]
        yield place, 4
        # Every side, then the kind and the place of the numbers.
        sizes = [8] * count + [4, 8]
        place += 4
        for size in sizes:
            yield place, size
            place += size


def _text(data: bytes, place: int) -> Iterator[tuple[int, int]]:
    yield place, 8
    return place + 8 + int(struct.unpack_from("<Q", data, place)[0])


def _value(data: bytes, place: int, kind: int) -> Iterator[tuple[int, int]]:
    if kind == STRING:
        return (yield from _text(data, place))
    if kind != ARRAY:
        yield place, PLAIN[kind]
        return place + PLAIN[kind]
    inner, count = struct.unpack_from("<IQ", data, place)
    yield place, 4
    yield place + 4, 8
    place += 12
    if inner != STRING:
        return place + PLAIN[inner] * int(count)
    for _ in range(count):
        place += 8 + int(struct.unpack_from("<Q", data, place)[0])
    return place


def folder_copies(source: Path, target: Path, seed: int) -> Iterator[Path]:
    """Makes one damaged Hugging Face folder after the other at `target`, without end."""
    random = Random(seed)
    while True:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for path in source.iterdir():
            if path.suffix in (".json", ".jinja", ".safetensors"):
                os.link(path, target / path.name)
        name, damage = random.choice(DAMAGES)
        damaged = damage((source / name).read_bytes(), random)
        (target / name).unlink()
        (target / name).write_bytes(damaged)
        yield target


def cut(raw: bytes, random: Random) -> bytes:
    return raw[: random.randrange(len(raw))]


def values(raw: bytes, random: Random) -> bytes:
    """One value of a JSON file becomes an odd one."""
    document = json.loads(raw)
    place, name = document, ""
    while True:
        name = random.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not (isinstance(place[name], dict | list) and place[name]):
            break
        place = place[name]
    place[name] = random.choice(WEIRD)
    return json.dumps(document).encode()


def tensors(raw: bytes, random: Random) -> bytes:
    """One entry of the header of a safetensors file becomes an odd one."""
    length = int.from_bytes(raw[:8], "little")
    header: dict[str, Any] = json.loads(raw[8 : 8 + length])
    entry = header[random.choice([name for name in header if name != "__metadata__"])]
    odd: dict[str, tuple[object, ...]] = {
        "dtype": ("F64", "F3", 7, None),
        "shape": ([1], [-1, 5], [10**18, 10**18], "x", [2**62], [1.5]),
        "data_offsets": ([0, 10], [10, 0], [-1, 5], [10**18, 10**19], [0], {}),
    }
    field = random.choice(list(odd))
    entry[field] = random.choice(odd[field])
    said = json.dumps(header).encode()
    return len(said).to_bytes(8, "little") + said + raw[8 + length :]


def lengths(raw: bytes, random: Random) -> bytes:
    """The first eight bytes, which say how long the header is."""
    return random.randbytes(random.choice((1, 2, 8))) + raw[8:]


Damage = Callable[[bytes, Random], bytes]
DAMAGES: tuple[tuple[str, Damage], ...] = (
    ("config.json", values),
    ("config.json", cut),
    ("tokenizer.json", values),
    ("tokenizer.json", cut),
    ("tokenizer_config.json", cut),
    ("model.safetensors", tensors),
    ("model.safetensors", lengths),
    ("model.safetensors", cut),
)
