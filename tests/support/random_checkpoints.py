"""Checkpoints of the M3D models at toy size with random weights, laid out as the published ones, on the phantom's grid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from m3dbench.adapters.m3d_clip.model import M3DClip
from m3dbench.adapters.m3d_lamed.config import LaMedConfig
from m3dbench.adapters.m3d_lamed.model import PREFIXES, LaMed

WORDS = ["a", "the", "in", "is", "liver", "spleen", "kidney", "image", "?", ".", "please", "output", "mask"]
WORDS += ["can", "you", "segment", "find", "it", "what", "axial", "no", "there"]
LAMED: dict[str, Any] = {
    "model_type": "lamed_llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "image_size": [24, 64, 64],
    "patch_size": [4, 16, 16],
    "mm_hidden_size": 48,
    "proj_layer_type": "mlp",
    "proj_layer_num": 2,
    "sizes": {"depth": 2, "seg_depth": 2, "heads": 4, "mlp": 96, "decoder_heads": 4, "decoder_mlp": 64},
}
CLIP: dict[str, Any] = {
    "model_type": "m3d_clip",
    "in_channels": 1,
    "img_size": [24, 64, 64],
    "patch_size": [4, 16, 16],
    "hidden_size": 48,
    "mlp_dim": 96,
    "num_layers": 2,
    "num_heads": 4,
    "text_config": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
    },
}


def make_lamed(folder: Path, seed: int = 0, **fields: Any) -> Path:
    """A folder as M3D-LaMed's. The words are few, so that a random model says ``[SEG]`` now and then."""
    special = ["<unk>", "<s>", "</s>", "<im_patch>", "<bx_start>", "<bx_end>", "[SEG]"]
    folder.mkdir(parents=True)
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.add_special_tokens({"additional_special_tokens": special[3:6]})
    fast.add_tokens(["[SEG]"])
    fast.save_pretrained(folder)
    content = {**LAMED, "vocab_size": len(vocabulary), "seg_token_id": 6, **fields}
    (folder / "config.json").write_text(json.dumps(content))
    torch.manual_seed(seed)
    model = LaMed(LaMedConfig.of(content))
    model.language.lm_head.weight.data[[2, 6]] *= torch.tensor([[1.5], [3.0]])
    published = {ours: theirs for theirs, ours in PREFIXES.items()}
    _save(folder, {_renamed(name, published): value for name, value in model.state_dict().items()})
    return folder


def make_clip(folder: Path, seed: int = 0) -> Path:
    """A folder as M3D-CLIP's."""
    folder.mkdir(parents=True)
    tokenizer = bert_tokenizer()
    tokenizer.save_pretrained(folder)
    content = {**CLIP, "text_config": {**CLIP["text_config"], "vocab_size": len(tokenizer)}}
    (folder / "config.json").write_text(json.dumps(content))
    torch.manual_seed(seed)
    _save(folder, M3DClip(content).state_dict())
    return folder


def bert_tokenizer() -> PreTrainedTokenizerFast:
    """WordPiece over few words, with BERT's special tokens."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def _renamed(name: str, published: dict[str, str]) -> str:
    prefix = next(prefix for prefix in published if name.startswith(prefix))
    return published[prefix] + name.removeprefix(prefix)


def _save(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, folder / "model.safetensors")
