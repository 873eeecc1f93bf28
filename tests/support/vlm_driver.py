"""Run as a process: ``vlm_driver.py FOLDER`` makes tiny random models of families with processors of their own, puts each
through hf-vlm, and says in JSON what came of it. The processors need torchvision, one of them num2words as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision_operators  # noqa: F401 - before transformers looks for torchvision
import transformers
from random_slice_models import byte_tokenizer

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.data.sample import Request
from m3dbench.errors import UserError

GRID = (12, 40, 50)
SHOWN: dict[str, dict[str, Any]] = {"slices": {"slices": "3"}, "montage": {"slices": "2", "montage": 2}}
SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**SMALL, "image_size": 56, "patch_size": 14}
SIDE = {"height": 56, "width": 56}
CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def template(start: str, end: str, image: str, bos: str = "") -> str:
    """A chat template: each turn between ``start`` and ``end``, with ``image`` for a picture."""
    part = f"{{% if p['type'] == 'image' %}}{image}{{% else %}}{{{{ p['text'] }}}}{{% endif %}}"
    parts = f"{{% for p in m['content'] %}}{part}{{% endfor %}}"
    turn = f"{start}{{{{ m['role'] }}}}\n{parts}{end}\n"
    return f"{bos}{{% for m in messages %}}{turn}{{% endfor %}}{{% if add_generation_prompt %}}{start}a\n{{% endif %}}"


def tokenizer(words: tuple[str, ...], eos: str, pad: str, bos: str | None = None, **named: str) -> Any:
    made = byte_tokenizer("<s>", "</s>", *words, ends=False).backend_tokenizer
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=bos, eos_token=eos, pad_token=pad, extra_special_tokens=named
    )


def qwen() -> tuple[Any, Any, str]:
    words = (*CHATML, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    reader = tokenizer(words, "<|im_end|>", "<|endoftext|>")
    of = reader.convert_tokens_to_ids
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 32}
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    model = transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(
            vision_config={**vision, "patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]},
            text_config={
                **SMALL,
                "num_key_value_heads": 1,
                "vocab_size": len(reader),
                "rope_parameters": rope,
                "bos_token_id": of("<|endoftext|>"),
                "eos_token_id": of("<|im_end|>"),
            },
            image_token_id=of("<|image_pad|>"),
            video_token_id=of("<|video_pad|>"),
            vision_start_token_id=of("<|vision_start|>"),
            vision_end_token_id=of("<|vision_end|>"),
        )
    )
    said = template("<|im_start|>", "<|im_end|>", "<|vision_start|><|image_pad|><|vision_end|>")
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(), reader, transformers.Qwen2VLVideoProcessor(), chat_template=said
    )
    return model, processor, "<|image_pad|>"


def gemma() -> tuple[Any, Any, str]:
    marks = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    words = ("<bos>", "<eos>", "<pad>", *marks.values(), "<start_of_turn>", "<end_of_turn>")
    reader = tokenizer(words, "<eos>", "<pad>", "<bos>", **marks)
    ids = {name: reader.convert_tokens_to_ids(word) for name, word in marks.items()}
    text = {**SMALL, "num_key_value_heads": 1, "head_dim": 16, "vocab_size": len(reader), "sliding_window": 64}
    model = transformers.Gemma3ForConditionalGeneration(
        transformers.Gemma3Config(
            text_config={**text, "max_position_embeddings": 8192, "tie_word_embeddings": False},
            tie_word_embeddings=False,
            vision_config=VISION,
            mm_tokens_per_image=4,
            boi_token_index=ids["boi_token"],
            eoi_token_index=ids["eoi_token"],
            image_token_index=ids["image_token"],
            image_token_id=ids["image_token"],
        )
    )
    said = template("<start_of_turn>", "<end_of_turn>", "<start_of_image>", "{{ bos_token }}")
    pictures = transformers.Gemma3ImageProcessor(size=SIDE)
    processor = transformers.Gemma3Processor(pictures, reader, chat_template=said, image_seq_length=4)
    return model, processor, "<image_soft_token>"


def internvl() -> tuple[Any, Any, str]:
    marks = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    reader = tokenizer((*CHATML, *marks.values(), "<video>"), "<|im_end|>", CHATML[0], **marks, video_token="<video>")
    text = {**SMALL, "model_type": "qwen2", "num_key_value_heads": 1, "vocab_size": len(reader)}
    model = transformers.InternVLForConditionalGeneration(
        transformers.InternVLConfig(
            vision_config={**VISION, "image_size": [56, 56], "patch_size": [14, 14]},
            text_config={**text, "max_position_embeddings": 8192},
            image_token_id=reader.convert_tokens_to_ids("<IMG_CONTEXT>"),
            downsample_ratio=0.5,
        )
    )
    processor = transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(size=SIDE, crop_to_patches=True, min_patches=1, max_patches=2),
        reader,
        transformers.InternVLVideoProcessor(),
        image_seq_length=4,
        chat_template=template("<|im_start|>", "<|im_end|>", "<IMG_CONTEXT>\n"),
    )
    return model, processor, "<IMG_CONTEXT>"


def without_num2words(folder: Path) -> str:
    """What hf-vlm says of a SmolVLM where its processor lacks a package."""
    sys.modules["num2words"] = None  # type: ignore[assignment]
    parts = {"image_processor_type": "SmolVLMImageProcessor"}, {"video_processor_type": "SmolVLMVideoProcessor"}
    fields = {"processor_class": "SmolVLMProcessor", "image_processor": parts[0], "video_processor": parts[1]}
    (folder / "processor_config.json").write_text(json.dumps(fields))
    try:
        opened(folder)
    except UserError as error:
        return str(error)
    return ""


def opened(folder: Path, **options: Any) -> Any:
    adapter = registry.create("adapters", "hf-vlm", {"weights": str(folder), "max_new_tokens": 8, **options})
    adapter.prepare(Context("some", "text", 0, train=lambda: iter(())))
    return adapter


def query(seed: int) -> Query:
    volume = np.random.default_rng(seed).random((1, *GRID), dtype=np.float32)
    request = Request("answer", wording="Which organ?" + " Say so." * 9 * seed)
    return Query(f"{seed}", "case", request, lambda: volume, lambda: GRID)


def tried(folder: Path, make: Callable[[], tuple[Any, Any, str]]) -> dict[str, Any]:
    torch.manual_seed(3)
    model, processor, mark = make()
    for value in model.parameters():  # large enough that what is seen and asked changes what is said
        if value.ndim == 2:
            torch.nn.init.normal_(value, std=0.3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    image = processor.tokenizer.convert_tokens_to_ids(mark)
    queries = [query(seed) for seed in range(3)]
    told: dict[str, Any] = {"tokens": {}, "said": []}
    for name, options in SHOWN.items():
        adapter = opened(folder, size=64, **options)
        together, alone = adapter.predict(queries), [adapter.predict([one])[0] for one in queries]
        told["said"].append([[(one.text, one.prompt_ids) for one in answers] for answers in (together, alone)])
        told["tokens"][name] = sorted({one.prompt_ids.count(image) for one in together})
        seen = [adapter._runner._next([(adapter._showing.pictures(one.volume(), "answer"), "x")]) for one in queries]
        told["gap"] = min(told.get("gap", np.inf), *(float((one - seen[0]).abs().max()) for one in seen[1:]))
    return told


def main() -> None:
    root = Path(sys.argv[1])
    told: dict[str, Any] = {make.__name__: tried(root / make.__name__, make) for make in (qwen, gemma, internvl)}
    told["without num2words"] = without_num2words(root / "qwen")
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
