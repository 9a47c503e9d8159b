"""Settings → the backend that runs a selector, and the limits that it can keep; others refused."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from localsel.backends import BACKENDS
from localsel.backends.base import Opening
from localsel.backends.vllm_engine import ON_CPU, arguments, gpus_here
from localsel.errors import BackendError, UsageError
from localsel.pipeline.early import SOME_HONOUR, opening_of, refuse_unhonoured
from localsel.pipeline.identity import Identity, backend_of
from localsel.settings import OUTSIDE_FINGERPRINT, YOUNGER, Settings, fields
from localsel.store import Store

SET: dict[str, object] = {"gpus": 2, "gpu_memory": 0.5, "constraint": "xgrammar"}


def settings(**values: object) -> Settings:
    return Settings(data=Path("pool.jsonl"), budget=5, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SET)
@pytest.mark.parametrize("backend", sorted(BACKENDS.places))
def test_a_limit_that_a_backend_cannot_keep_is_refused(backend: str, name: str) -> None:
    refuse_unhonoured(settings(), backend)
    own = settings(**{name: SET[name]})
    if backend == "vllm":
        refuse_unhonoured(own, backend)
        return
    with pytest.raises(UsageError) as caught:
        refuse_unhonoured(own, backend)
    assert caught.value.exit_code == 2
    flag = f"--{name.replace('_', '-')} {SET[name]}"
    assert str(caught.value).startswith(f"The backend {backend!r} cannot keep to {flag}.")


def test_every_limit_reaches_the_backend() -> None:
    assert set(SET) == set(SOME_HONOUR)
    opening = opening_of(settings(context=512, threads=3, **SET), "folder")
    assert (opening.model, opening.context, opening.threads) == ("folder", 512, 3)
    assert {name: getattr(opening, name) for name in SET} == SET
    assert opening_of(settings(), "folder") == Opening("folder")


def test_vllm_is_told_of_the_limits() -> None:
    opening = opening_of(settings(**SET), "folder")
    told = arguments(4096, opening, 2)
    assert (told["tensor_parallel_size"], told["distributed_executor_backend"]) == (2, "mp")
    assert told["gpu_memory_utilization"] == 0.5
    assert told["structured_outputs_config"] == {"backend": "xgrammar"}
    assert "kv_cache_memory_bytes" not in told
    assert not told["trust_remote_code"]


def test_unset_limits_are_vllms_own() -> None:
    told = arguments(4096, Opening("folder"), 1)
    assert (told["tensor_parallel_size"], told["distributed_executor_backend"]) == (1, "uni")
    assert not {"gpu_memory_utilization", "kv_cache_memory_bytes"} & set(told)
    assert told["structured_outputs_config"] == {"backend": "outlines"}
    on_cpu = arguments(4096, Opening("folder"), 0)
    assert (on_cpu["kv_cache_memory_bytes"], on_cpu["dtype"]) == (ON_CPU, "float32")


def test_too_many_gpus_are_refused_before_anything_starts() -> None:
    with pytest.raises(BackendError) as caught:
        gpus_here(Opening("folder", gpus=64))
    expected = "--gpus 64 is too many: " if find_spec("vllm") else "vLLM is not installed here."
    assert str(caught.value).startswith(expected)


def test_a_folder_is_run_by_vllm_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "selector"
    folder.mkdir()
    file = tmp_path / "selector.gguf"
    file.touch()
    if not find_spec("vllm"):
        assert backend_of(str(folder)) == "transformers"
        (tmp_path / "vllm").mkdir()
        (tmp_path / "vllm" / "__init__.py").write_text("raise SystemExit('it was imported')")
        monkeypatch.syspath_prepend(tmp_path)
    assert backend_of(str(folder)) == "vllm"
    assert backend_of(str(folder), "transformers") == "transformers"
    assert backend_of(str(file)) == "llamacpp"


def test_options_younger_than_a_run_change_no_fingerprint_by_themselves(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "workspace")) as store:

        def counted(**values: object) -> set[str]:
            return set(Identity(settings(**values), store).options)

        assert set(fields()) > YOUNGER
        assert counted() == set(fields()) - OUTSIDE_FINGERPRINT - YOUNGER
        assert counted(**SET) == counted() | {"constraint"}
