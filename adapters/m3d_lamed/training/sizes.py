"""Sizes of the toy models, in one place, as their config.json files state them: about 6 million parameters in all."""

from __future__ import annotations

from typing import Any

from m3dbench.adapters.nets.segvol import SegVolConfig
from m3dbench.adapters.nets.vit3d import ViT3DConfig

from .cases import GRID

VISION = ViT3DConfig(image_size=GRID, patch_size=(4, 8, 8), channels=1, width=160, mlp=480, depth=4, heads=4)
"""Grid 6 x 8 x 8 = 384 patches, pooled to 3 x 4 x 4 = 48 image tokens."""
SEGMENTATION = SegVolConfig(encoder=VISION, heads=4, mlp=320)
TEXT_LENGTH = 224
"""Longest report in tokens of M3D-CLIP's tokenizer is under 200."""


def lamed_fields(vocabulary: int, seg_token: int) -> dict[str, Any]:
    """config.json of m3d-lamed-tiny, in the published layout; ``sizes`` says what that layout leaves open."""
    return {
        "architectures": ["LamedLlamaForCausalLM"],
        "model_type": "lamed_llama",
        "hidden_size": 160,
        "intermediate_size": 288,
        "num_hidden_layers": 3,
        "num_attention_heads": 5,
        "num_key_value_heads": 5,
        "vocab_size": vocabulary,
        "max_position_embeddings": 512,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "image_channel": VISION.channels,
        "image_size": list(VISION.image_size),
        "patch_size": list(VISION.patch_size),
        "vision_tower": "vit3d",
        "vision_select_layer": -1,
        "vision_select_feature": "patch",
        "mm_projector_type": "spp",
        "proj_layer_type": "mlp",
        "proj_layer_num": 2,
        "proj_pooling_type": "spatial",
        "proj_pooling_size": 2,
        "mm_hidden_size": VISION.width,
        "segmentation_module": "segvol",
        "seg_token_id": seg_token,
        "sizes": {
            "depth": VISION.depth,
            "heads": VISION.heads,
            "mlp": VISION.mlp,
            "decoder_heads": SEGMENTATION.heads,
            "decoder_mlp": SEGMENTATION.mlp,
            "seg_depth": VISION.depth,
        },
        "dtype": "float16",
    }


def clip_fields(vocabulary: int) -> dict[str, Any]:
    """config.json of m3d-clip-tiny."""
    return {
        "architectures": ["M3DCLIP"],
        "model_type": "m3d_clip",
        "in_channels": VISION.channels,
        "img_size": list(VISION.image_size),
        "patch_size": list(VISION.patch_size),
        "hidden_size": VISION.width,
        "mlp_dim": VISION.mlp,
        "num_layers": VISION.depth,
        "num_heads": VISION.heads,
        "pos_embed": "perceptron",
        "dropout_rate": 0,
        "spatial_dims": 3,
        "max_text_len": TEXT_LENGTH,
        "vocab_size": vocabulary,
        "text_config": {
            "vocab_size": vocabulary,
            "hidden_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 192,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
            "max_position_embeddings": TEXT_LENGTH,
            "type_vocab_size": 2,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        "dtype": "float16",
    }
