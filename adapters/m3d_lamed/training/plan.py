"""The stages in order, what each takes over from those before it, and the two checkpoints that come out."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from m3dbench.adapters.m3d_clip.model import M3DClip
from m3dbench.adapters.m3d_lamed.config import LaMedConfig
from m3dbench.adapters.m3d_lamed.model import LaMed

from .bank import FeatureBank
from .clip import ClipStage
from .export import save_clip, save_lamed
from .joint import JointStage
from .language import LanguageStage
from .loop import Stage
from .masks import MasksStage, MasksTask
from .pool import Pool
from .sizes import SEGMENTATION, VISION, clip_fields, lamed_fields
from .tower import TowerStage, TowerTask
from .vocabulary import bert_tokenizer, corpus, language_tokenizer

STAGES = ("tower", "masks", "language", "clip", "joint")
SHARES = {"tower": 0.34, "masks": 0.3, "language": 0.22, "clip": 0.06, "joint": 0.08}
"""Shares of the time."""
STEPS = {"tower": 2000, "masks": 1500, "language": 2000, "clip": 600, "joint": 300}
"""Steps of the stages, in proportion, where steps are asked for instead of minutes."""


class Plan:
    """Builds the stages of a training in ``work``: each from the files that the earlier ones left there."""

    def __init__(self, work: Path, pool: Pool, count: int) -> None:
        self._work, self._pool, self._count = work, pool, count

    @cached_property
    def tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        """M3D-LaMed's and M3D-CLIP's, made once and kept."""
        paths = [self._work / name for name in ("language-tokenizer.json", "bert-tokenizer.json")]
        if not all(path.exists() for path in paths):
            texts = list(corpus())
            language_tokenizer(texts).save(str(paths[0]))
            bert_tokenizer([text for text in texts if len(text) > 120]).save(str(paths[1]))
        language, bert = (Tokenizer.from_file(str(path)) for path in paths)
        return language, bert

    def stage(self, name: str) -> Stage:
        """A stage, its inputs loaded. Raises FileNotFoundError when an earlier stage has not been trained."""
        match name:
            case "tower":
                return TowerStage(VISION, self._pool, self._count)
            case "masks":
                return MasksStage(SEGMENTATION, self._pool, self._count)
            case "language":
                return self._language(self.lamed())
            case "joint":
                stage = self._language(self.lamed())
                self._load(stage.module, "language")
                return JointStage(stage)
            case "clip":
                model = self.clip()
                return ClipStage(model, self.tokenizers[1], self._bank(model.vision_encoder), self._pool, self._count)
        raise ValueError(f"unknown stage {name!r}")

    def lamed_fields(self) -> dict[str, Any]:
        """M3D-LaMed's config.json, with this training's vocabulary."""
        tokenizer = self.tokenizers[0]
        seg = tokenizer.token_to_id("[SEG]")
        assert seg is not None  # noqa: S101 - the tokenizer is made with it
        return lamed_fields(tokenizer.get_vocab_size(), seg)

    def lamed(self) -> LaMed:
        """M3D-LaMed with the tower and the segmentation module of the first stages."""
        model = LaMed(LaMedConfig.of(self.lamed_fields()))
        tower, masks = TowerTask(VISION), MasksTask(SEGMENTATION)
        self._load(tower, "tower")
        self._load(masks, "masks")
        model.vision_tower.load_state_dict(tower.tower.state_dict())
        model.segmentation.load_state_dict(masks.segmentation.state_dict())
        return model

    def clip(self) -> M3DClip:
        """M3D-CLIP with the tower of the first stage."""
        model = M3DClip(clip_fields(self.tokenizers[1].get_vocab_size()))
        tower = TowerTask(VISION)
        self._load(tower, "tower")
        model.vision_encoder.load_state_dict(tower.tower.state_dict())
        return model

    def export(self, out: Path) -> tuple[LaMed, M3DClip | None]:
        """Write what is trained so far: M3D-LaMed after ``language``, M3D-CLIP after ``clip``."""
        stage = self._language(self.lamed())
        self._load(stage.module, "language")
        if (self._work / "joint.pt").exists():
            self._load(JointStage(stage).module, "joint")
        language, bert = self.tokenizers
        save_lamed(stage.model, self.lamed_fields(), language, out / "m3d_lamed")
        model = None
        if (self._work / "clip.pt").exists():
            model = self.clip()
            self._load(model, "clip")
            save_clip(model.eval(), clip_fields(bert.get_vocab_size()), bert, out / "m3d_clip")
        return stage.model.eval(), model

    def _language(self, model: LaMed) -> LanguageStage:
        masks = MasksTask(SEGMENTATION)
        self._load(masks, "masks")
        bank = self._bank(model.vision_tower)
        return LanguageStage(model, masks.table, self.tokenizers[0], bank, self._pool, self._count)

    def _bank(self, tower: nn.Module) -> FeatureBank:
        # A copy: a tower that learns on must not change the features kept of it.
        frozen = TowerTask(VISION).tower
        frozen.load_state_dict(tower.state_dict())
        return FeatureBank(frozen, self._pool, self._work / "features")

    def _load(self, module: nn.Module, name: str) -> None:
        module.load_state_dict(torch.load(self._work / f"{name}.pt", weights_only=True)["module"])
