"""The sandbox → limits that hold, a server that comes back, and nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from localsel.backends.chat import LONGEST, wrap
from localsel.backends.probe import probe
from localsel.backends.sandbox import SANDBOX, ask
from localsel.errors import BackendError
from tests.conftest import CHECKOUT

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
SOUND = "<{{ messages[0].content }}>"


def rendered(template: str, seconds: float = 20.0) -> dict[str, Any]:
    return ask("template", "It", seconds, template=template, bos="", eos="")


def test_a_template_without_an_end_is_refused() -> None:
    with pytest.raises(BackendError, match="It cannot be used: reading it takes more than 1 s"):
        rendered(ENDLESS + SOUND, seconds=1)
    assert rendered(SOUND) == {"before": "<", "after": ">"}


@pytest.mark.parametrize(
    "template",
    [
        "{% for each in range(99999) %}much {% endfor %}",
        "{{ 'x' * bos_token.zfill(200000) | length }}",
        "{% set all = namespace(text='x') %}{% for each in range(17) %}"
        "{% set all.text = all.text ~ all.text %}{% endfor %}{{ all.text }}",
    ],
)
def test_a_template_that_writes_too_much_is_refused(template: str) -> None:
    with pytest.raises(BackendError, match=f"more than {LONGEST:,} characters") as caught:
        wrap(template + SOUND)
    assert caught.value.exit_code == 3


def test_a_template_that_wants_all_memory_is_refused() -> None:
    grow = "{% for each in range(60) %}{% set all.text = all.text ~ all.text %}{% endfor %}"
    with pytest.raises(BackendError, match=r"MemoryError|takes more than"):
        rendered("{% set all = namespace(text='xxxxxxxx') %}" + grow + SOUND)
    assert rendered(SOUND)["before"] == "<"


def test_a_long_range_is_refused_at_once() -> None:
    with pytest.raises(BackendError, match="Range too big"):
        wrap("{% for each in range(10 ** 9) %}{% endfor %}" + SOUND)


def test_a_server_that_was_killed_is_started_again() -> None:
    assert rendered(SOUND)["before"] == "<"
    server = SANDBOX._server
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    assert rendered(SOUND)["before"] == "<"
    assert SANDBOX._server is not server


ASKING = """
import os, signal, sys
from localsel.backends.sandbox import SANDBOX
from localsel.backends.chat import wrap
wrap("<{{ messages[0].content }}>")
print(SANDBOX._server.pid, flush=True)
if sys.argv[1] == "forked":
    child = os.fork()
    said = wrap("[{{ messages[0].content }}]")
    if not child:
        os._exit(0 if said == ("[", "]") else 1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or said != ("[", "]"))
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("how", "code"), [("ends", 0), ("killed", -9), ("forked", 0)])
def test_no_server_outlives_who_asks(how: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", ASKING, how], stdout=subprocess.PIPE, check=False)
    assert done.returncode == code
    left = int(done.stdout)
    with suppress(psutil.NoSuchProcess):
        # Of one that was killed the server reads the end of its questions, and goes.
        psutil.Process(left).wait(timeout=60)
    assert not psutil.pid_exists(left)


def test_a_relative_path_means_a_file_in_the_folder_of_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered(SOUND)
    (tmp_path / "m.gguf").write_bytes(b"GGUF" + bytes(20))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackendError, match="bad GGUF version: 0"):
        probe(Path("m.gguf"))


def test_nothing_can_be_written_there(tmp_path: Path) -> None:
    """The limits as a child has them, in a process like it."""
    code = f"""
import json, os
from localsel.backends.sandbox_server import answer_here
def work():
    try:
        with open({str(tmp_path / "new")!r}, "w") as file:
            file.write("x")
    except OSError as error:
        return error.errno
answer_here(work, {{"seconds": 5, "here": "/", "question": {{}}}}, 1)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == {"answer": errno.EFBIG}


def test_a_library_that_does_not_load_is_no_broken_model(tmp_path: Path) -> None:
    """One that lies before the real one, as a build for another machine would."""
    said = "libggml.so: cannot open shared object file"
    (tmp_path / "llama_cpp.py").write_text(f"raise OSError({said!r})")
    code = f"""
from pathlib import Path
from localsel.backends.chat import wrap
from localsel.backends.probe import probe
from localsel.errors import BackendError
try:
    probe(Path({str(CHECKOUT / "models" / "nano-llama" / "nano-llama.gguf")!r}))
except BackendError as error:
    print(error)
# What does not need it is answered all the same.
print(wrap({SOUND!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    complaint, around = done.stdout.splitlines()
    assert complaint == f"llama_cpp cannot be imported: {said}. See `localsel doctor`."
    assert around == str(wrap(SOUND))
