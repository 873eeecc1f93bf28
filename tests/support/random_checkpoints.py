"""Checkpoints of the M3D models and RadFM at toy size with random weights, laid out as the published ones, on the phantom's grid."""

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
from m3dbench.adapters.med_2e3.config import Med2E3Config
from m3dbench.adapters.med_2e3.model import Med2E3
from m3dbench.adapters.med_2e3.published import complete
from m3dbench.adapters.radfm.config import RadFMConfig
from m3dbench.adapters.radfm.model import RadFM
from m3dbench.adapters.segvol.config import TextSegVolConfig
from m3dbench.adapters.segvol.model import TextSegVol

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
MED_2E3: dict[str, Any] = {
    "llm_type": "phi3",
    "llm_max_length": 160,
    "vision2d_model_type": "siglip",
    "vision3d_model_type": "m3d",
    "vision2d_connector_type": "mlp2x_gelu",
    "vision3d_connector_type": "spatial_pooling_score15_mlp2x_gelu",
}
MED_2E3_PARTS: dict[str, dict[str, Any]] = {
    "llm": {
        "model_type": "phi3",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 2048,
        "original_max_position_embeddings": 512,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.0, 2.0, 3.0, 4.0]},
    },
    "vision2d_model": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 64,
        "patch_size": 16,
    },
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
SEGVOL: dict[str, Any] = {
    "model_type": "segvol",
    "spatial_size": [24, 64, 64],
    "patch_size": [4, 16, 16],
    "image_encoder": {"hidden_size": 48, "mlp_dim": 96, "num_layers": 2, "num_heads": 4},
    "mask_decoder": {"transformer_num_heads": 4, "transformer_mlp_dim": 64},
    "text_config": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 24,
    },
}


RADFM: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_sequence_length": 512,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": -1,
    "vision": {
        "dim": 24,
        "depth": 2,
        "heads": 2,
        "dim_head": 8,
        "mlp_dim": 32,
        "position_dim": 8,
        "perceiver_latents": 4,
        "perceiver_depth": 1,
        "perceiver_heads": 2,
        "perceiver_dim_head": 8,
    },
}


def make_radfm(folder: Path, seed: int = 0, **fields: Any) -> Path:
    """A folder as RadFM's: the language model's settings, a tokenizer whose settings name no special tokens, one file.
    The words are few, so that a random model ends an answer now and then."""
    folder.mkdir(parents=True)
    vocabulary = {word: place for place, word in enumerate(["<unk>", "<s>", "</s>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"bos_token": "", "eos_token": "", "unk_token": ""}')
    content = {**RADFM, "vocab_size": len(vocabulary), **fields}
    (folder / "config.json").write_text(json.dumps(content))
    torch.manual_seed(seed)
    model = RadFM(RadFMConfig.of(content))
    model.embedding_layer.perceiver.latents.data.normal_()
    model.embedding_layer.figure_token_weight.data.normal_(std=0.1)
    model.lang_model.lm_head.weight.data[[1, 2]] *= 1.2
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    torch.save({**tensors, "embedding_layer.cls_head.weight": torch.ones(2)}, folder / "pytorch_model.bin")
    return folder


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


def make_med_2e3(folder: Path, seed: int = 0, **fields: Any) -> Path:
    """A folder as Med-2E3's, a sub-folder a part, with both tokenizers. fields: of args/config.json."""
    vocabulary = {word: place for place, word in enumerate(["<unk>", "<s>", "<|endoftext|>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder / "llm")
    make_clip(folder / "m3d_clip_tokenizer")
    clip = json.loads((folder / "m3d_clip_tokenizer" / "config.json").read_text())
    (folder / "m3d_clip_tokenizer" / "model.safetensors").unlink()
    parts = {**MED_2E3_PARTS, "vision3d_model": clip}
    parts["llm"] = {**parts["llm"], "vocab_size": len(vocabulary)}
    for part, content in parts.items():
        (folder / part).mkdir(exist_ok=True)
        (folder / part / "config.json").write_text(json.dumps(content))
    (folder / "args").mkdir()
    (folder / "args" / "config.json").write_text(json.dumps({**MED_2E3, **fields}))
    torch.manual_seed(seed)
    model = Med2E3(Med2E3Config.of(complete({**MED_2E3, **fields}, folder)))
    for weight in model.llm.parameters():  # as they are drawn, every prompt would have one answer
        weight.data *= 8 if weight.ndim == 2 else 1
    tensors: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in model.state_dict().items():
        part, _, inside = name.partition(".")
        tensors.setdefault(part, {})[f"vision_model.{inside}" if part == "vision2d_model" else inside] = value.clone()
    tensors["vision2d_model"]["vision_model.post_layernorm.weight"] = torch.ones(32)
    tensors["vision3d_model"]["logit_scale"] = torch.tensor(2.6)
    for part, content in tensors.items():
        (folder / part).mkdir(exist_ok=True)
        torch.save(content, folder / part / "pytorch_model.bin")
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


def make_segvol(folder: Path, seed: int = 0) -> Path:
    """A folder as SegVol's at the hub."""
    folder.mkdir(parents=True)
    ends = ["<|startoftext|>", "<|endoftext|>"]
    words = ["a", "of", "computerized", "tomography", "unknown", *WORDS]
    vocabulary = {word: place for place, word in enumerate([*dict.fromkeys(words), *ends])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="unknown"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    placed = [(one, vocabulary[one]) for one in ends]
    tokenizer.post_processor = processors.TemplateProcessing(f"{ends[0]} $A {ends[1]}", special_tokens=placed)
    names = {"unk_token": "unknown", "bos_token": ends[0], "eos_token": ends[1], "pad_token": ends[1]}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    content = {**SEGVOL, "text_config": {**SEGVOL["text_config"], "vocab_size": len(vocabulary)}}
    (folder / "config.json").write_text(json.dumps(content))
    torch.manual_seed(seed)
    model = TextSegVol(TextSegVolConfig.of(content))
    _save(folder, {f"model.{name}": value for name, value in model.state_dict().items()})
    return folder


def _renamed(name: str, published: dict[str, str]) -> str:
    prefix = next(prefix for prefix in published if name.startswith(prefix))
    return published[prefix] + name.removeprefix(prefix)


def _save(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, folder / "model.safetensors")
