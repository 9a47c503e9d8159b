"""A name → the way to select that goes by it; each row is one file."""

from localsel.registry import Registry

METHODS = Registry(
    "method",
    {
        "selectllm": "localsel.methods.selectllm:SelectLLM",
        "random": "localsel.methods.uniform:Uniform",
    },
)
