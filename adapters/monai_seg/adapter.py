"""Any MONAI network with a checkpoint: masks of the classes that it was trained for, and boxes around them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m3dbench.adapter import Adapter, Context, Query
from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.placed import Placed
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.located import located
from m3dbench.adapters.monai_seg.labels import LabelTable
from m3dbench.data.prediction import Prediction
from m3dbench.errors import UserError, missing_extra

if TYPE_CHECKING:
    from m3dbench.adapters.monai_seg.bundle import Bundle
    from m3dbench.adapters.monai_seg.description import Description
    from m3dbench.adapters.monai_seg.running import Runner

VALUES = ("described", "stored")
log = logging.getLogger(__name__)


class MonaiSeg(Adapter):
    """A network of ``monai.networks.nets`` by sliding window; one pass over a volume answers for all classes.

    config: the TOML file that describes the network, or the folder of a MONAI bundle. weights: another file than the
    one named there. values: ``stored`` gives the network the values 0..1 as they are, whatever window is described.
    trust_remote_code: lets a bundle's own code make the network.
    """

    name = "monai-seg"
    version = "1.0"
    tasks = frozenset({"seg_semantic", "seg_referring", "rec"})
    batch_size = 1

    def __init__(
        self,
        *,
        config: str = "",
        weights: str = "",
        values: str = "described",
        dtype: str = "auto",
        device: str = "auto",
        trust_remote_code: bool = False,
    ) -> None:
        if find_spec("monai") is None or find_spec("torch") is None:
            raise missing_extra("the model monai-seg", "monai")
        if values not in VALUES:
            raise UserError(f"there are no values {values!r}", field="values", fix=f"one of: {', '.join(VALUES)}")
        self._file, self._bundle, self._description = _read(config, trusted=trust_remote_code)
        if values == "stored":
            taken = self._description.input.model_copy(update={"window": None})
            self._description = self._description.model_copy(update={"input": taken})
        path = Path(weights).expanduser() if weights else _beside(self._file, self._description.weights.file)
        if not path.is_file():
            raise UserError(
                f"there are no weights at {path}",
                file=self._file,
                field="weights" if weights else "weights.file",
                fix="give the file that torch.save or safetensors wrote, relative to the description",
            )
        self._placed = Placed(Checkpoint(path.resolve()), Placement.of(dtype, device))
        self._labels = LabelTable(self._description.labels)
        self._runner: Runner | None = None

    def prepare(self, context: Context) -> None:
        if self._runner is None:
            from m3dbench.adapters.monai_seg.network import loaded
            from m3dbench.adapters.monai_seg.running import Runner

            placement, weights = self._placed.placement, self._description.weights
            network = loaded(self._build(), weights, self._placed.checkpoint.path, placement)
            self._runner = Runner(network, self._description, placement)
            self._placed.insist(self._runner.checks(self._file))

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [self._answer(query) for query in queries]

    def facts(self) -> Mapping[str, Any]:
        own = self._placed.facts()
        libraries = {**own["libraries"], "monai": version("monai")}
        described = self._description.model_dump(mode="json", by_alias=True, exclude={"weights": {"file"}})
        code = {"code": self._bundle.digest()} if self._bundle is not None and self._bundle.code else {}
        return {**own, "libraries": libraries, "description": described, **code}

    def recorded(self) -> Mapping[str, Any]:
        return {**self._placed.recorded(), "description": str(self._file)}

    def _answer(self, query: Query) -> Prediction:
        assert self._runner is not None  # noqa: S101 - prepare came first
        name = self._labels.asked(query.request)
        if name is None:
            return Prediction(query.id, status="refused", reason=_unknown(query))
        found = self._runner.find(query.volume(), query.geometry())
        return located(query, found.mask(self._description.labels[name]), name, found.notes)

    def _build(self) -> Callable[[], Any]:
        from m3dbench.adapters.monai_seg.bundle import run_network_code
        from m3dbench.adapters.monai_seg.network import built

        if self._bundle is not None and self._bundle.code:
            log.warning("running code of the bundle %s", self._bundle.folder)
            bundle = self._bundle
            return lambda: run_network_code(bundle)
        return lambda: built(self._description.network, self._file)


def _read(config: str, *, trusted: bool) -> tuple[Path, Bundle | None, Description]:
    from m3dbench.adapters.monai_seg.bundle import METADATA, Bundle
    from m3dbench.adapters.monai_seg.description import PAGE, read_description

    if not config:
        raise UserError(
            "monai-seg needs the description of a network", field="config", fix=f"-o config=FILE.toml (see {PAGE})"
        )
    path = Path(config).expanduser().resolve()
    if path.is_dir() and (path / METADATA).is_file():
        bundle = Bundle(path)
        return path, bundle, bundle.description(trusted=trusted)
    if not path.is_file():
        told = f"{path} is no bundle: it has no {METADATA}" if path.is_dir() else f"there is no file {path}"
        raise UserError(told, field="config", fix="give a TOML file, or the folder of a MONAI bundle")
    return path, None, read_description(path)


def _beside(config: Path, file: str) -> Path:
    return (config if config.is_dir() else config.parent) / Path(file).expanduser()


def _unknown(query: Query) -> str:
    request = query.request
    if request.target:
        return f"the network's label table has no class {request.target!r}"
    return "the text names no class of the network's label table, or more than one"
