"""A quick look at what was learned, on drawn cases that no stage trained on; the benchmark itself is the judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional

from m3dbench.adapters.m3d_clip.model import M3DClip
from m3dbench.adapters.m3d_lamed.model import LaMed
from m3dbench.metrics.box_text import box_from_text
from m3dbench.metrics.boxes import box_iou

from .cases import GRID, TrainingCase
from .clip import report
from .examples import Example, example_of
from .tower import images_of

_NEW_TOKENS = 40


@torch.inference_mode()
def answers(model: LaMed, tokenizer: Tokenizer, cases: Sequence[TrainingCase], seed: int = 0) -> dict[str, float]:
    """Mean score by kind: answers equal to the reference, IoU of boxes, Dice of masks."""
    scores: dict[str, list[float]] = defaultdict(list)
    draws = np.random.default_rng(seed)
    holders = [tokenizer.token_to_id("<im_patch>")] * model.config.image_tokens
    for case in cases:
        features = model.image_features(images_of([case]))[0]
        cells = model.segmentation.encode(images_of([case]))
        for _ in range(4):
            example = example_of(case, draws, own=False)
            if example.kind == "report":
                continue
            prompt = tokenizer.encode(example.prompt, add_special_tokens=False).ids
            told = model.generate([features], [torch.tensor([1, *holders, *prompt])], _NEW_TOKENS)[0]
            mask = None if told.seg is None else (model.mask_logits(cells, told.seg[None])[0, 0] > 0).numpy()
            text = tokenizer.decode(list(told.ids), skip_special_tokens=True)
            name, score = _score(case, example, text, mask)
            scores[name].append(score)
    return {name: float(np.mean(values)) for name, values in sorted(scores.items())}


def _score(case: TrainingCase, example: Example, text: str, mask: np.ndarray | None) -> tuple[str, float]:
    if example.kind == "segment" and example.mask is not None:
        if mask is None:
            return f"dice {case.preparation}", 0.0
        return f"dice {case.preparation}", float(2 * (mask & example.mask).sum() / (mask.sum() + example.mask.sum()))
    if example.kind == "segment":
        return "absent segment", float(mask is None)
    wanted = box_from_text(example.answer, grid=GRID).box
    if example.kind == "locate":
        found = box_from_text(text, grid=GRID).box
        if wanted is None:
            return "absent locate", float(found is None)
        return f"iou {case.preparation}", box_iou(found, wanted) if found is not None else 0.0
    if example.kind == "name_region":
        return "name_region", float(text.split(".")[0] == example.answer.split(".")[0])
    return example.kind, float(text.strip() == example.answer.strip())


@torch.inference_mode()
def retrieval(model: M3DClip, tokenizer: Tokenizer, cases: Sequence[TrainingCase]) -> dict[str, float]:
    """Recall at 1 and 5 of reports by volume, among these cases."""
    draws = np.random.default_rng(0)
    images = torch.cat([model.encode_image(images_of([case])) for case in cases])
    encoded = [tokenizer.encode(report(case, draws)).ids for case in cases]
    texts = torch.cat(
        [model.encode_text(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long)) for ids in encoded]
    )
    scores = functional.normalize(images) @ functional.normalize(texts).T
    rank = (scores > scores.diagonal()[:, None]).sum(1)
    return {f"recall@{k}": float((rank < k).float().mean()) for k in (1, 5)}
