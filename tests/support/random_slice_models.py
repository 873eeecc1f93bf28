"""Slice models at toy size with random weights, laid out as published: PMC-CLIP, a CLIP, a SigLIP, a LLaVA with its
chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from random_checkpoints import bert_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

from m3dbench.adapters.pmc_clip.model import PmcClip, PmcClipConfig

SIDE, PATCH = 32, 8
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['role'] + ': ' }}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %} assistant:{% endif %}"
)


def byte_tokenizer(*special: str, ends: bool) -> PreTrainedTokenizerFast:
    """Every byte a token, after the special ones. ends: a text gets the first special token before it and the second
    behind it, else the first alone."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: place for place, word in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(words, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    single = f"{special[0]} $A {special[1]}" if ends else f"{special[0]} $A"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(special[0], 0), (special[1], 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[1], pad_token=special[2]
    )
    fast.add_special_tokens({"additional_special_tokens": list(special[3:])})
    return fast


def make_pmc_clip(folder: Path) -> Path:
    """A training state of PMC-CLIP with its settings, and BERT's tokenizer."""
    vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16}
    text = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    tokenizer = bert_tokenizer()
    fields = {
        "embed_dim": 24,
        "vision_cfg": vision,
        "text_cfg": {"context_length": 20},
        "text_config": {**text, "vocab_size": len(tokenizer)},
    }
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(fields))
    torch.manual_seed(0)
    model = PmcClip(PmcClipConfig.of(fields))
    for value in model.parameters():
        if value.ndim:
            torch.nn.init.normal_(value, std=0.2)
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save(
        {"epoch": 1, "state_dict": {**state, "module.ln_final.weight": torch.ones(24)}}, folder / "checkpoint.pt"
    )
    return folder


def make_clip(folder: Path, *, siglip: bool = False) -> Path:
    """A CLIP, or a SigLIP, with a context of 40 tokens."""
    tokenizer = byte_tokenizer("<s>", "</s>", "<pad>", ends=True)
    tokenizer.model_max_length = 40
    tower = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    text = {**tower, **ids, "vocab_size": len(tokenizer), "max_position_embeddings": 40}
    vision = {**tower, "image_size": SIDE, "patch_size": PATCH}
    torch.manual_seed(0)
    model: Any
    pictures: Any
    if siglip:
        model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
        pictures = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    else:
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16))
        pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    for part in (model, pictures, tokenizer):
        part.save_pretrained(folder)
    return folder


def make_vlm(folder: Path) -> Path:
    """A LLaVA that takes several pictures in a turn and says random bytes."""
    tokenizer = byte_tokenizer("<s>", "</s>", "<pad>", "<image>", ends=False)
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=3, vision_feature_layer=-1)
    )
    model.generation_config.update(do_sample=True, temperature=0.7, eos_token_id=1, pad_token_id=2, bos_token_id=0)
    for value in model.parameters():  # large enough that what is seen and asked changes what is said
        if value.ndim == 2:
            torch.nn.init.normal_(value, std=0.4)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    reader = LlavaProcessor(
        pictures, tokenizer, patch_size=PATCH, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    reader.chat_template = TEMPLATE
    model.save_pretrained(folder)
    reader.save_pretrained(folder)
    return folder
