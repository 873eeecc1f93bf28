"""An adapter's weights where they compute: what of them makes a run's identity, and what is written down beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.digest import paths_digest, weights_digest
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, insist
from m3dbench.adapters.checkpoints.tokenizer import quiet
from m3dbench.errors import UserError

log = logging.getLogger(__name__)
T = TypeVar("T")
LIBRARIES = ("torch", "transformers", "tokenizers")


@dataclass
class Placed:
    """A checkpoint and its placement. self_checks: how they ended. told: further entries of the record."""

    checkpoint: Checkpoint
    placement: Placement
    self_checks: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)

    def insist(self, checks: Iterable[SelfCheck]) -> None:
        """Runs start-up checks and keeps how they ended. Raises UserError at the first failure."""
        for check in insist(checks):
            log.info("self-check %s: %s", check["name"], check["detail"])
            self.self_checks.append(check)

    def facts(self) -> dict[str, Any]:
        """Weights digest, precision, kind of device, and the libraries that compute."""
        libraries = {name: found for name in LIBRARIES if (found := _version(name))}
        return {"weights": weights_digest(self.checkpoint), **self.placement.facts(), "libraries": libraries}

    def recorded(self) -> Mapping[str, Any]:
        """Where the weights lie and compute, and the start-up checks."""
        origin = {"checkpoint": self.checkpoint.origin(), **self.placement.recorded()}
        return {**origin, "self_checks": self.self_checks, **self.told}


def settings_digest(checkpoint: Checkpoint) -> str:
    """SHA-256 of the settings that decide how such a model is fed and decoded: tokenizer, processor, templates."""
    suffixes = (".json", ".jinja", ".model", ".txt")
    paths = [path for path in checkpoint.folder.iterdir() if path.suffix in suffixes and path.is_file()]
    return paths_digest(path for path in paths if not path.name.endswith(".index.json"))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def configured(checkpoint: Checkpoint, read: Callable[[Mapping[str, Any]], T]) -> T:
    """What ``read`` makes of config.json. Raises UserError when it is that of another model, naming the field."""
    try:
        with quiet():  # transformers' classes of settings warn of fields that are right as they are
            return read(checkpoint.config())
    except UserError:
        raise
    except Exception as error:  # their errors have no narrower class in common
        told = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise UserError(
            f"the configuration is not this model's: {told}",
            file=checkpoint.file(checkpoint.layout.config),
            fix="give the folder of the model's own checkpoint",
        ) from error
