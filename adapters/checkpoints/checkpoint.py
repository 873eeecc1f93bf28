"""A checkpoint on this machine: a published folder, a merged one, a single file, or a LoRA adapter over its base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from m3dbench.adapters.checkpoints.files import (
    ADAPTER_CONFIG,
    PLAIN,
    Layout,
    adapter_files,
    missing_places,
    part_files,
    weight_files,
)
from m3dbench.adapters.checkpoints.source import WeightSource, locate
from m3dbench.errors import UserError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json")


@dataclass(frozen=True)
class Checkpoint:
    """path: a folder or one weight file. base: of a LoRA adapter, what it was trained on. layout: of the folder.
    settings: a folder with config.json and the tokenizer, for weights that lie without them."""

    path: Path
    base: Path | None = None
    layout: Layout = PLAIN
    settings: Path | None = None

    @staticmethod
    def find(
        source: WeightSource,
        weights: str | None = None,
        revision: str | None = None,
        *,
        base: str | None = None,
        download: bool = False,
        code: bool = False,
    ) -> Checkpoint:
        """See ``locate``. A LoRA adapter's base is ``base``, else what its adapter_config.json names.

        Raises UserError when either is not here, and when ``base`` is given for weights that are no adapter.
        """
        path = locate(source, weights, revision, download=download, code=code)
        if missing := missing_places(path, source.layout):
            told = f"there is no {' and no '.join(missing)}: these weights are a folder with {source.layout.told()}"
            raise UserError(told, file=path, field="weights", fix="give that folder, whole")
        settings = path / ADAPTER_CONFIG
        if not settings.is_file():
            if base is not None:
                raise UserError("base is for LoRA adapters, these weights are whole", file=path, fix="leave base out")
            return Checkpoint(path, layout=source.layout)
        named = base or read_json(settings).get("base_model_name_or_path")
        if not named:
            if path.joinpath("model_with_lora.bin").is_file():
                return Checkpoint(path)
            raise UserError("the LoRA adapter names no base model", file=settings, fix="give it: -o base=PATH")
        return Checkpoint(path, locate(source, str(named), download=download))

    def with_settings(self, folder: str, option: str) -> Checkpoint:
        """The same weights with a folder of settings, as they are where it is empty. Raises UserError naming the user's
        option when it is not there."""
        if not folder:
            return self
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise UserError(f"there is no folder {folder}", field=option, fix="give the one with config.json")
        return replace(self, settings=path.resolve())

    @property
    def folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def title(self) -> str:
        """A name to show: of a hub snapshot that of its repository, else of the folder or file."""
        return self.origin().get("hub_id", self.path.name).rpartition("/")[2]

    @property
    def lora(self) -> bool:
        """Whether the folder is a LoRA adapter."""
        return self.path.is_dir() and (self.path / ADAPTER_CONFIG).is_file()

    def config(self) -> Mapping[str, Any]:
        """The fields of config.json (as the layout has it): the folder's, else the base's. Raises UserError when
        neither has one."""
        return read_json(self.file(self.layout.config))

    def has(self, name: str) -> bool:
        """Whether ``file`` finds it."""
        return any((folder / name).is_file() for folder in self._folders())

    def file(self, *names: str) -> Path:
        """The first of these files that is there: settings, the folder, the base. Raises UserError when none is."""
        for folder in self._folders():
            for name in names:
                if (folder / name).is_file():
                    return folder / name
        raise UserError(f"there is no {' or '.join(names)}", file=self.folder, fix="complete the folder")

    def tokenizer_folder(self) -> Path:
        """Where the tokenizer's files are; see ``file``."""
        return self.file(*TOKENIZER_FILES).parent

    def files(self) -> list[Path]:
        """Every weight file that is loaded: a later one's tensors replace an earlier one's of the same name."""
        if self.layout.parts:
            return part_files(self.path, self.layout.parts)
        if not self.lora:
            return weight_files(self.path)
        return (weight_files(self.base) if self.base is not None else []) + adapter_files(self.path)

    def part(self, path: Path) -> str:
        """What comes before the names of a file's tensors: its part and a slash, nothing where there are no parts."""
        return f"{path.relative_to(self.path).parts[0]}/" if self.layout.parts else ""

    def origin(self) -> dict[str, str]:
        """Where the weights come from, for the record: a path, and of a hub snapshot its id and commit."""
        found = {"path": str(self.path)}
        if self.path.parent.name == "snapshots":
            found |= {
                "hub_id": self.path.parent.parent.name.partition("--")[2].replace("--", "/"),
                "commit": self.path.name,
            }
        if self.base is not None:
            found["base"] = str(self.base)
        if self.settings is not None:
            found["settings"] = str(self.settings)
        return found

    def _folders(self) -> list[Path]:
        base = [] if self.base is None else [self.base if self.base.is_dir() else self.base.parent]
        beside = [] if self.settings is None else [self.settings]
        return [*beside, self.folder, *base]


def read_json(path: Path) -> dict[str, Any]:
    """The fields of a JSON file. Raises UserError when it cannot be read."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"it cannot be read: {error}", file=path, fix="copy or download it again") from error
    if not isinstance(fields, dict):
        raise UserError(f"it holds a {type(fields).__name__}, not fields", file=path, fix="copy or download it again")
    return fields
