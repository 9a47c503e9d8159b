"""A name → the backend that answers under it; each row is one file."""

from localsel.registry import Registry

BACKENDS = Registry(
    "backend",
    {
        "llamacpp": "localsel.backends.llamacpp:LlamaCppBackend",
        "transformers": "localsel.backends.transformers:TransformersBackend",
        "openai": "localsel.backends.openai:OpenAIBackend",
        "scripted": "localsel.backends.scripted:ScriptedBackend",
        "vllm": "localsel.backends.vllm:VllmBackend",
    },
)
