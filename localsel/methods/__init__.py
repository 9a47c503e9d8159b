"""A name → the way to select that goes by it; each row is one file."""

from localsel.registry import Registry

METHODS = Registry(
    "method",
    {
        "selectllm": "localsel.methods.selectllm:SelectLLM",
        "random": "localsel.methods.uniform:Uniform",
        "length-short": "localsel.methods.length:Shortest",
        "length-long": "localsel.methods.length:Longest",
        "coreset": "localsel.methods.coreset:CoreSet",
        "kmeans": "localsel.methods.kmeans:KMeans",
        "rouge": "localsel.methods.rouge:Rouge",
        "cbs": "localsel.methods.cbs:ClusterBased",
    },
)
