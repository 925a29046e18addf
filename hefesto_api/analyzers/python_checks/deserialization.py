"""Objects and models that are loaded from files and can bring code with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hefesto_api.analyzers.python_checks.matching import Pattern, calls, found, matching, on_call
from hefesto_api.analyzers.python_checks.syntax import constant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.analyzers.python_checks.syntax import Call, Site
    from hefesto_api.domain.finding import Detection

MODEL_LOAD: Final = "HEF-SEC-UNSAFE-MODEL-LOAD"
UNPINNED: Final = "HEF-SEC-UNPINNED-MODEL"
REMOTE_CODE: Final = "HEF-SEC-REMOTE-MODEL-CODE"
YAML: Final = "HEF-SEC-UNSAFE-YAML"
ARCHIVE: Final = "HEF-SEC-ARCHIVE-EXTRACTION"

_HUB: Final = {"from_pretrained", "load_dataset", "hf_hub_download", "snapshot_download", "pipeline"}
_YAML_LOADERS: Final = {"unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}


def _model(call: Call, _: Site) -> Iterator[Detection]:
    if call.name == "torch.load" and not call.says("weights_only", "True"):
        sure = 0.9 if call.says("weights_only", "False") else 0.6
        yield found(
            MODEL_LOAD, call.node, "torch.load without weights_only=True unpickles the file", confidence=sure
        )
    elif call.name in {"joblib.load", "cloudpickle.load", "cloudpickle.loads"}:
        yield found(MODEL_LOAD, call.node, f"{call.name} unpickles what it reads")
    elif call.name == "numpy.load" and call.says("allow_pickle", "True"):
        yield found(MODEL_LOAD, call.node, "numpy.load with allow_pickle=True unpickles what it reads")
    elif call.method == "load_model" and call.says("safe_mode", "False"):
        yield found(
            MODEL_LOAD, call.node, "load_model with safe_mode=False runs code from the file", confidence=0.9
        )


def _hub(call: Call, _: Site) -> Iterator[Detection]:
    if call.says("trust_remote_code", "True"):
        yield found(REMOTE_CODE, call.node, f"{call.method} runs code that comes with the model")
    if call.method == "pipeline" or "revision" in call.keywords:
        return
    wanted = constant(call.argument(0, "pretrained_model_name_or_path", "path", "repo_id"))
    if wanted is not None and wanted.count("/") == 1 and wanted[0] not in "./~":
        yield found(UNPINNED, call.node, f"{call.method} takes whatever is newest in {wanted!r}")


def _yaml(call: Call, _: Site) -> Iterator[Detection]:
    if call.name.startswith("yaml.") and call.method in _YAML_LOADERS:
        yield found(YAML, call.node, f"yaml.{call.method} builds the objects that the document names")
    elif call.name == "yaml.load_all" and any("Unsafe" in t or t.endswith(".Loader") for t in _loaders(call)):
        yield found(YAML, call.node, "yaml.load_all with a loader that builds objects")
    elif call.name.startswith("ruamel.") and constant(call.argument(99, "typ")) == "unsafe":
        yield found(
            YAML, call.node, "a YAML reader of type 'unsafe' builds the objects that the document names"
        )


def _loaders(call: Call) -> list[str]:
    loader = call.argument(1, "Loader")
    return [] if loader is None or loader.text is None else [loader.text.decode(errors="replace")]


def _unpack(call: Call, _: Site) -> Iterator[Detection]:
    if call.name == "shutil.unpack_archive" and "filter" not in call.keywords:
        yield found(
            ARCHIVE, call.node, "shutil.unpack_archive writes where the archive's names point", confidence=0.5
        )


_HUBS: Final = (
    b"transformers",
    b"datasets",
    b"huggingface_hub",
    b"diffusers",
    b"sentence_transformers",
    b"timm",
    b"peft",
)

PATTERNS: Final = (
    Pattern(
        calls("load", "loads"),
        on_call(_model),
        modules=(b"torch", b"joblib", b"cloudpickle"),
    ),
    Pattern(matching(rb"(load)\((?=[^()]{0,200}allow_pickle)"), on_call(_model), modules=(b"numpy",)),
    Pattern(calls("load_model"), on_call(_model), modules=(b"keras", b"tensorflow")),
    Pattern(calls(*sorted(_HUB)), on_call(_hub), modules=_HUBS),
    Pattern(calls("load_all", "YAML", *sorted(_YAML_LOADERS)), on_call(_yaml), modules=(b"yaml", b"ruamel")),
    Pattern(calls("unpack_archive"), on_call(_unpack), modules=(b"shutil",)),
)
