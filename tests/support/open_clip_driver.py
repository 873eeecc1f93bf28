"""Run as a process: ``open_clip_driver.py FOLDER`` makes two toy checkpoints of open_clip in a folder, embeds with the
library itself what the adapter embeds, and says in JSON how far the two lie apart.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision_operators  # noqa: F401 - before open_clip imports torchvision

# isort: split
import open_clip
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from random_checkpoints import bert_tokenizer
from transformers import BertConfig

from m3dbench import registry
from m3dbench.adapter import Context

VISION = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
TEXT = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 2}
PLAIN: dict[str, Any] = {"embed_dim": 16, "vision_cfg": VISION, "text_cfg": TEXT}
BIOMED: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {
        "timm_model_name": "vit_tiny_patch16_224",
        "timm_pool": "",
        "timm_proj": "linear",
        "image_size": 224,
    },
    "text_cfg": {
        "hf_model_name": "nowhere/at-all",
        "hf_tokenizer_name": "nowhere/at-all",
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 24,
    },
}
REPORTS = ["a liver in the image .", "no spleen is there . " * 12]


def written(folder: Path, model: Any, fields: dict[str, Any], kind: str) -> None:
    settings = {"model_cfg": fields, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    torch.save(model.state_dict(), folder / f"open_clip_pytorch_model.{kind}")


def plain(folder: Path) -> Any:
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    written(folder, open_clip.CLIP(**PLAIN), PLAIN, "bin")
    return open_clip.create_model_from_pretrained(f"local-dir:{folder}", return_transform=False).eval()


def biomed(folder: Path) -> Any:
    """As BiomedCLIP: the text tower's settings are at the hub alone."""
    folder.mkdir(parents=True)
    tokenizer = bert_tokenizer()
    tokenizer.save_pretrained(folder)
    (folder / "text").mkdir()
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1, "intermediate_size": 96}
    BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes).save_pretrained(folder / "text")
    text = {**BIOMED["text_cfg"], "hf_model_name": str(folder / "text"), "hf_model_pretrained": False}
    torch.manual_seed(1)
    model = open_clip.CustomTextCLIP(**{**BIOMED, "text_cfg": text}).eval()
    written(folder, model, BIOMED, "bin")
    return model


@torch.inference_mode()
def gap(folder: Path, theirs: Any) -> float:
    """The largest difference between the library's unit vectors and the adapter's."""
    adapter = registry.create("adapters", "clip", {"weights": str(folder)})
    adapter.prepare(Context("retrieval", "embedding", 0, train=lambda: iter(())))
    assert adapter.facts()["library"] == "open_clip"
    towers = adapter._loaded
    pictures = [np.random.default_rng(seed).integers(0, 256, (40, 50), dtype=np.uint8) for seed in range(3)]
    ours = towers.images(pictures), towers.texts(REPORTS)
    assert ours[1][1] == [False, True], "the second report is longer than the context"
    transform = image_transform_v2(
        PreprocessCfg(size=theirs.visual.image_size, mean=(0.5,) * 3, std=(0.25,) * 3), is_train=False
    )
    seen = torch.stack([transform(Image.fromarray(picture)) for picture in pictures])
    ids = open_clip.get_tokenizer(f"local-dir:{folder}")(REPORTS)
    images, texts = theirs.encode_image(seen, normalize=True), theirs.encode_text(ids, normalize=True)
    return float(max(np.abs(ours[0] - images.numpy()).max(), np.abs(ours[1][0] - texts.numpy()).max()))


def main() -> None:
    root = Path(sys.argv[1])
    gaps = {made.__name__: gap(root / made.__name__, made(root / made.__name__)) for made in (plain, biomed)}
    sys.stdout.write(json.dumps(gaps))


if __name__ == "__main__":
    main()
