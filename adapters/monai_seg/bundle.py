"""A MONAI bundle as a description: its folder's JSON is read, none of its code and expressions is run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from m3dbench.adapters.checkpoints.checkpoint import read_json
from m3dbench.adapters.monai_seg.description import PAGE, Description, describe
from m3dbench.errors import UserError

METADATA, INFERENCE, WEIGHTS = "configs/metadata.json", "configs/inference.json", "models/model.pt"
NETWORK_KEYS = ("network_def", "network")
PASSED_OVER = frozenset(
    {"LoadImage", "EnsureChannelFirst", "EnsureType", "ToTensor", "CastToType", "SelectItems", "CropForeground"}
)
"""Preparation that a stored volume has behind it, or that changes no more than where windows lie."""
ORDER = ("Orientation", "Spacing Resize", "ScaleIntensityRange", "ScaleIntensity NormalizeIntensity")
"""In which a volume is prepared here, at most one of each; another order would be another result."""
ANSWERING = frozenset({"Activations", "AsDiscrete"})
"""What comes after the network that says how its channels are read."""
NETS = "monai.networks.nets."


class Bundle:
    """The folder of a bundle. code: its network is made by code or expressions of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / INFERENCE).is_file():
            raise self._unfit(f"it has no {INFERENCE}", "config", file="")
        self.metadata = read_json(folder / METADATA)
        self.inference = read_json(folder / INFERENCE)
        self.network_key = next((key for key in NETWORK_KEYS if isinstance(self.inference.get(key), dict)), "")
        if not self.network_key:
            raise self._unfit(f"there is no {NETWORK_KEYS[0]}", NETWORK_KEYS[0])
        self._network = self.inference[self.network_key]
        self.kind = str(self._network.get("_target_", ""))

    @property
    def code(self) -> str:
        """What of the network is code: a class from elsewhere, or an expression; empty where nothing is."""
        if "." in self.kind and not self.kind.startswith(NETS):
            return f"the class {self.kind}"
        try:
            self._literal(self._arguments(), self.network_key)
        except _ExpressionError as error:
            return f"the expression {error}"
        return ""

    def digest(self) -> str:
        """SHA-256 (64 hex digits) of what its own code may read: its settings and its Python files."""
        total = hashlib.sha256()
        for path in sorted([self.folder / INFERENCE, *self.folder.rglob("*.py")]):
            total.update(path.relative_to(self.folder).as_posix().encode() + b"\0" + path.read_bytes())
        return total.hexdigest()

    def description(self, *, trusted: bool = False) -> Description:
        """What a TOML file would say. Raises UserError naming what of the bundle cannot be read as plain values."""
        if (code := self.code) and not trusted:
            raise self._unfit(
                f"its network is made by code of the bundle: {code}",
                self.network_key,
                fix="--trust-remote-code runs it (only if you trust its source), "
                "or describe the network in a TOML file",
            )
        content = {
            "network": {"class": self.kind.rpartition(".")[2], "arguments": {} if code else self._plain_arguments()},
            "weights": {"file": WEIGHTS},
            "labels": self._labels(),
            "activation": self._activation(),
            "sliding": self._sliding(),
            "input": self._input(),
        }
        return describe(content, self.folder / INFERENCE)

    def _arguments(self) -> dict[str, Any]:
        return {name: value for name, value in self._network.items() if not name.startswith("_")}

    def _plain_arguments(self) -> Any:
        return self._literal(self._arguments(), self.network_key)

    def _labels(self) -> dict[str, int]:
        outputs = self.metadata.get("network_data_format", {}).get("outputs", {})
        named: Mapping[str, str] = outputs.get("pred", {}).get("channel_def", {})
        found = {name: int(place) for place, name in named.items() if name.lower() != "background"}
        if not found:
            field = "network_data_format.outputs.pred.channel_def"
            raise self._unfit("it does not name the output channels", field, file=METADATA)
        return found

    def _activation(self) -> str:
        for name, settings in self._transforms("postprocessing"):
            if name == "Activations" and (settings.get("softmax") or settings.get("sigmoid")):
                return "softmax" if settings.get("softmax") else "sigmoid"
            if name == "AsDiscrete" and settings.get("argmax"):
                return "softmax"
            if name == "AsDiscrete" and settings.get("threshold") is not None:
                return "sigmoid"
        return "softmax"

    def _sliding(self) -> dict[str, Any]:
        inferer = self._plain("inferer")
        if str(inferer.get("_target_", "")).rpartition(".")[2] != "SlidingWindowInferer":
            raise self._unfit(f"its inferer is {inferer.get('_target_')!r}, not SlidingWindowInferer", "inferer")
        named = {"roi_size": "size", "overlap": "overlap", "mode": "mode", "sw_batch_size": "batch"}
        return {ours: inferer[theirs] for theirs, ours in named.items() if theirs in inferer}

    def _input(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        last = -1
        for name, settings in self._transforms("preprocessing"):
            place = next((rank for rank, names in enumerate(ORDER) if name in names.split()), len(ORDER))
            if place <= last:
                raise self._unfit(f"the transform {name} comes too late to be given to volumes here", "preprocessing")
            last = place
            match name:
                case "Orientation":
                    found["orientation"] = settings.get("axcodes", "RAS")
                case "Spacing":
                    found["spacing"] = settings["pixdim"]
                case "Resize":
                    found["size"] = settings["spatial_size"]
                case "ScaleIntensityRange":
                    found["window"] = [settings["a_min"], settings["a_max"]]
                    found["range"] = [settings.get("b_min", 0.0), settings.get("b_max", 1.0)]
                    found["clip"] = settings.get("clip", False)
                case "ScaleIntensity" if (settings.get("minv", 0), settings.get("maxv", 1)) == (0, 1):
                    found["normalise"] = "minmax"
                case "NormalizeIntensity" if "subtrahend" not in settings and "divisor" not in settings:
                    found["normalise"] = "zscore_nonzero" if settings.get("nonzero") else "zscore"
                case _ if name not in PASSED_OVER:
                    raise self._unfit(f"volumes cannot be given the transform {name} here", "preprocessing")
        return found

    def _transforms(self, key: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Names of the transforms of a Compose, without the ``d`` of dictionaries, and their settings."""
        if key not in self.inference:
            return []
        listed = self._plain(key).get("transforms", [])
        return [(_transform(one), one) for one in listed if not one.get("_disabled_")]

    def _plain(self, key: str) -> Any:
        """A section with only those expressions left out whose transform does not matter here."""
        found = self.inference.get(key, {})
        if isinstance(found, dict) and isinstance(found.get("transforms"), list):
            relevant = [one for one in found["transforms"] if self._matters(key, one)]
            found = {**found, "transforms": relevant}
        try:
            return self._literal(found, key)
        except _ExpressionError as error:
            raise self._unfit(f"{key} holds the expression {error}, and expressions are not run", key) from error

    @staticmethod
    def _matters(key: str, one: Any) -> bool:
        name = _transform(one) if isinstance(one, dict) else ""
        return name not in PASSED_OVER if key == "preprocessing" else name in ANSWERING

    def _literal(self, value: Any, path: str, depth: int = 0) -> Any:
        """A value with its references to plain values put in. Raises _ExpressionError for expressions."""
        if isinstance(value, dict):
            return {name: self._literal(one, f"{path}#{name}", depth) for name, one in value.items()}
        if isinstance(value, list):
            return [self._literal(one, path, depth) for one in value]
        if not isinstance(value, str) or value[:1] not in ("$", "@", "%"):
            return value
        if not re.fullmatch(r"@\w+((#|::)\w+)*", value) or depth > 10:
            raise _ExpressionError(f"{value!r} at {path}")
        found: Any = self.inference
        for part in re.split(r"#|::", value[1:]):
            found = found[int(part)] if isinstance(found, list) else found.get(part, f"${value}")
        return self._literal(found, path, depth + 1)

    def _unfit(self, told: str, field: str, *, file: str = INFERENCE, fix: str = "") -> UserError:
        fix = fix or f"describe the network in a TOML file that names {self.folder / WEIGHTS} ({PAGE})"
        return UserError(f"the bundle cannot be used as it is: {told}", file=self.folder / file, field=field, fix=fix)


def _transform(settings: Mapping[str, Any]) -> str:
    """The name of a transform; those for dictionaries of arrays end in d, D or Dict."""
    name = str(settings.get("_target_", "")).rpartition(".")[2]
    return name if name in PASSED_OVER else re.sub(r"(d|D|Dict)$", "", name)


class _ExpressionError(ValueError):
    """A value that only code could tell."""


def run_network_code(bundle: Bundle) -> Any:
    """The network as the bundle's own code makes it. Only for bundles that the user trusts."""
    import sys

    from monai.bundle.config_parser import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(bundle.folder / INFERENCE))
    sys.path.insert(0, str(bundle.folder))
    try:
        return parser.get_parsed_content(bundle.network_key, instantiate=True)
    finally:
        sys.path.remove(str(bundle.folder))
