"""What the user calls a model → the address of a server, and whether it may be asked at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urlsplit

from localsel.errors import UsageError
from localsel.offline import is_local

SCHEMES = ("http://", "https://")
EXAMPLE = "http://127.0.0.1:8000/v1"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: `base` ends in /v1 or what the user gave, `root` is before that.

    `name` is the model's at that server; empty for its only one.
    """

    base: str
    root: str
    host: str
    name: str = ""

    @property
    def model(self) -> str:
        """What a user may call it."""
        return f"{self.base}#{quote(self.name, safe='/:@')}" if self.name else self.base


@dataclass(frozen=True, slots=True)
class Served:
    """A model at a server: what a user calls it, and what the server says that it is.

    The weights cannot be looked at. `identity` is the same wherever the server is.
    """

    model: str
    identity: Mapping[str, object]


def is_server(model: str) -> bool:
    """Whether a model is one at a server: `http://127.0.0.1:8000`, `http://localhost/v1#name`."""
    return model.lower().startswith(SCHEMES)


def address_of(model: str, allowed: Collection[str] = ()) -> Address:
    """The parts of an address, if localsel may ask there.

    Raises:
        UsageError: it is no address, holds a password, or is not of this machine.
    """
    shown = model[:100]
    try:
        parts = urlsplit(model)
        host, port = (parts.hostname or "").lower(), parts.port
        host.encode("ascii")
    except ValueError as error:
        raise UsageError(f"{shown} is no address of a server.", f"Like {EXAMPLE}.") from error
    if not host or parts.query or port == 0 or not is_server(model) or _odd(model):
        raise UsageError(f"{shown} is no address of a server.", f"Like {EXAMPLE}.")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "The address of a server has a name or password in it, which would be recorded.",
            "Give a key in the variable LOCALSEL_API_KEY.",
        )
    if not (is_local(host) or host in allowed):
        raise UsageError(
            f"{shown} is not on this machine, and your instructions would leave it.",
            f"If they may, give --allow-host {host}.",
        )
    base = _base(parts)
    return Address(base, base.removesuffix("/v1"), host, unquote(parts.fragment))


def _odd(model: str) -> bool:
    return any(letter.isspace() or not letter.isprintable() for letter in model) or "\\" in model


def _base(parts: SplitResult) -> str:
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path.rstrip('/') or '/v1'}"


def short_name(model: str) -> str:
    """A name to show: the model's at the server, without folders, or the server's host and port."""
    parts = urlsplit(model)
    name = PurePosixPath(unquote(parts.fragment)).name
    return name.removesuffix(".gguf") or parts.netloc
