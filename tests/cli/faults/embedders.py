"""Embedders that cannot be used: the bundled one with one file missing, broken or pickled."""

from __future__ import annotations

import pickle
from pathlib import Path

from localsel.stages.embed import default_embedder
from tests.cli.faults import GOOD, MODEL, USAGE, Content, Fault, leads_to

RUN = "run good.jsonl --budget 2 --model first --threads 1 --embedder"


def embedder(name: str, says: str, **replaced: Content | None) -> Fault:
    """The bundled embedder, its files replaced by others, or by nothing."""
    whole = default_embedder()
    names = [str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()]
    files: dict[str, Content] = {f"e/{each}": leads_to(whole / each) for each in names}
    for key, content in replaced.items():
        (found,) = [each for each in (*names, PICKLED) if Path(each).stem == key]
        files.pop(f"e/{found}", None)
        if content is not None:
            files[f"e/{found}"] = content
    return Fault(name, f"{RUN} e", MODEL, says, files)


PICKLED = "pytorch_model.bin"
FOREIGN = b'[{"idx": 0, "name": "0", "path": "", "type": "subprocess.Popen"}]'
CANNOT = "The embedder in e cannot be loaded: "

FAULTS = [
    Fault("no embedder", f"{RUN} no", MODEL, "There is no sentence-transformers model in no."),
    Fault("an embedder that is a file", f"{RUN} e", MODEL, "model in e.", {"e": GOOD}),
    Fault(
        "an embedder without files", f"{RUN} e", MODEL, "It would hold a modules.json", {"e/x": b""}
    ),
    Fault("an embedder that is a loop", f"{RUN} e", USAGE, "Symlink loop", {"e": leads_to("e")}),
    Fault("an embedder of nobody's", f"{RUN} ~nobody-at-all/e", USAGE, "determine home directory."),
    embedder(
        "an embedder that is pickled",
        "The weights e/pytorch_model.bin are pickled, and no pickle is read. Convert them to",
        model=None,
        pytorch_model=pickle.dumps({}),
    ),
    embedder("an embedder whose weights were cut off", CANNOT, model=b"\x10" + bytes(99)),
    embedder("an embedder without weights", CANNOT + "Error no file named", model=None),
    embedder("an embedder with a broken list of modules", CANNOT, modules=b"[{"),
    embedder(
        "an embedder with code of its own", "'subprocess.Popen', which is not", modules=FOREIGN
    ),
]
