"""Addresses of servers: which are of this machine, and which localsel may not ask."""

from __future__ import annotations

import pytest

from localsel.errors import UsageError
from localsel.servers import address_of, is_server, short_name


@pytest.mark.parametrize(
    ("model", "base", "name"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1", ""),
        ("http://localhost:8000/", "http://localhost:8000/v1", ""),
        ("HTTP://LocalHost:8000/v1/", "http://localhost:8000/v1", ""),
        ("http://[::1]:11434/v1#gemma2:9b", "http://[::1]:11434/v1", "gemma2:9b"),
        ("https://127.8.9.1/openai/v1#org/model", "https://127.8.9.1/openai/v1", "org/model"),
        ("http://127.0.0.1:1#two%20words", "http://127.0.0.1:1/v1", "two words"),
    ],
)
def test_an_address_has_parts(model: str, base: str, name: str) -> None:
    address = address_of(model)
    assert (address.base, address.name) == (base, name)
    assert address.root == base.removesuffix("/v1")
    assert address_of(address.model) == address


@pytest.mark.parametrize(
    "model",
    [
        "http://192.0.2.1:8000",
        "http://example.org/v1",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://0.0.0.0:8000",
        "http://2130706433:8000",
        "http://[::ffff:192.0.2.1]:80",
    ],
)
def test_what_is_not_of_this_machine_is_refused(model: str) -> None:
    with pytest.raises(UsageError, match="not on this machine") as caught:
        address_of(model, ["another.example.org"])
    assert caught.value.exit_code == 2
    assert "--allow-host" in caught.value.hint


def test_a_host_that_is_named_may_be_asked() -> None:
    assert address_of("http://GPU.lan:8000", ["gpu.lan"]).host == "gpu.lan"


@pytest.mark.parametrize("user", ["me@", "me:secret@", ":@", "127.0.0.1@"])
def test_a_password_would_be_recorded(user: str) -> None:
    with pytest.raises(UsageError, match="password") as caught:
        address_of(f"http://{user}127.0.0.1:8000")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "model",
    [
        "http://",
        "http:///v1",
        "http://127.0.0.1:x",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http:",
    ]
    + ["http://127.0.0.1\\@evil", "http://127.0.0.1/ v1", "http://127.0.0.1/\x1b[31m", "models/x"]
    + ["http://127.0.0.1/v1?key=1", "http://лocalhost/"],
)
def test_what_is_no_address_is_refused(model: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        address_of(model)


def test_names_are_short() -> None:
    assert short_name("http://127.0.0.1:8000/v1#models/gemma/gemma.gguf") == "gemma"
    assert short_name("http://127.0.0.1:8000/v1#org/Gemma-2-9b") == "Gemma-2-9b"
    assert short_name("http://127.0.0.1:8000/v1") == "127.0.0.1:8000"


def test_a_path_is_no_server() -> None:
    assert is_server("https://localhost")
    assert not is_server("models/http.gguf")
