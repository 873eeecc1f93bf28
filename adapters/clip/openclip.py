"""A checkpoint of open_clip (BiomedCLIP and others), its networks built by that library and filled by our loader."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.checkpoints.checkpoint import read_json
from m3dbench.adapters.checkpoints.files import OPEN_CLIP_CONFIG
from m3dbench.adapters.checkpoints.lora import plain_name
from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, libraries
from m3dbench.adapters.checkpoints.stored import shapes
from m3dbench.adapters.slices.towers import Towers
from m3dbench.data.slices import Picture
from m3dbench.errors import UserError, missing_extra

NEEDED = {"torch": "2.4", "open_clip_torch": "2.24"}
TEXT_PARTS = ("text_projection", "positional_embedding", "token_embedding", "transformer", "ln_final")
BERT = "text.transformer."


class OpenClipTowers(Towers):
    """open_clip's network, transform and tokenizer; none of them fetches anything."""

    def __init__(self, model: Any, transform: Any, tokenizer: Any, context: int, placement: Placement) -> None:
        super().__init__(placement)
        self._model = model
        self._transform = transform
        self._tokenizer = tokenizer
        self.text_limit = context

    @staticmethod
    def load(checkpoint: Checkpoint, placement: Placement) -> OpenClipTowers:
        """Raises UserError where the library is missing, or the settings name what it cannot build."""
        try:
            import open_clip
            from open_clip.transform import PreprocessCfg, image_transform_v2
        except ImportError as error:
            raise missing_extra("A checkpoint of open_clip", "openclip") from error
        settings = read_json(checkpoint.file(OPEN_CLIP_CONFIG))
        model = _network(open_clip, settings.get("model_cfg"), checkpoint, placement)
        known = {key: value for key, value in settings.get("preprocess_cfg", {}).items() if value is not None}
        known["size"] = getattr(model.visual, "image_size", known.get("size", 224))
        transform = image_transform_v2(PreprocessCfg(**known), is_train=False)
        context = int(settings["model_cfg"]["text_cfg"].get("context_length", 77))
        tokenizer = open_clip.get_tokenizer(f"local-dir:{checkpoint.folder}", context_length=context)
        return OpenClipTowers(model, transform, tokenizer, context, placement)

    def encode_pictures(self, shown: Sequence[Picture]) -> Tensor:
        from PIL import Image

        pixels = torch.stack([self._transform(Image.fromarray(picture)) for picture in shown])
        return torch.as_tensor(self._model.encode_image(self.placed(pixels)))

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        return torch.as_tensor(self._model.encode_text(self._tokenizer(list(texts)).to(self._placement.device)))

    def lengths(self, texts: Sequence[str]) -> list[int]:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return [len(ids) for ids in inner(list(texts), verbose=False)["input_ids"]]
        return [len(self._tokenizer.encode(text)) + 2 for text in texts]

    def checks(self) -> Iterator[SelfCheck]:
        yield libraries(NEEDED)
        yield from super().checks()


def _network(library: Any, fields: Mapping[str, Any] | None, checkpoint: Checkpoint, placement: Placement) -> Any:
    if fields is None or "multimodal_cfg" in fields:
        raise UserError(
            "its settings are not those of two towers", file=checkpoint.file(OPEN_CLIP_CONFIG), fix="CoCa is not read"
        )
    sizes = {**fields, "vision_cfg": {**fields["vision_cfg"]}, "text_cfg": {**fields["text_cfg"]}}
    custom = sizes.pop("custom_text", False) or "hf_model_name" in sizes["text_cfg"]
    if "timm_model_name" in sizes["vision_cfg"]:
        sizes["vision_cfg"]["timm_model_pretrained"] = False
    with TemporaryDirectory() as place:
        if "hf_model_name" in sizes["text_cfg"]:
            sizes["text_cfg"]["hf_model_name"] = str(_text_settings(checkpoint, Path(place)))
            sizes["text_cfg"]["hf_model_pretrained"] = False
        build = library.CustomTextCLIP if custom else library.CLIP

        def renamed(name: str) -> str:
            return f"text.{name}" if custom and name.startswith(TEXT_PARTS) else name

        try:
            return load(lambda: build(**sizes), checkpoint, placement=placement, rename=renamed, unused=("logit_bias",))
        except (TypeError, KeyError, ValueError, RuntimeError) as error:
            raise UserError(f"open_clip cannot build it: {error}", file=checkpoint.file(OPEN_CLIP_CONFIG)) from error


def _text_settings(checkpoint: Checkpoint, place: Path) -> Path:
    """A folder with the settings of a text tower that open_clip would ask the hub for: those beside the weights, else
    BERT's, with the sizes that the weights have."""
    if (checkpoint.folder / "config.json").is_file():
        return checkpoint.folder
    found = {plain_name(name)[0]: shape for path in checkpoint.files() for name, shape in shapes(path).items()}
    try:
        words, width = found[f"{BERT}embeddings.word_embeddings.weight"]
        fields = {
            "model_type": "bert",
            "vocab_size": words,
            "hidden_size": width,
            "max_position_embeddings": found[f"{BERT}embeddings.position_embeddings.weight"][0],
            "type_vocab_size": found[f"{BERT}embeddings.token_type_embeddings.weight"][0],
            "intermediate_size": found[f"{BERT}encoder.layer.0.intermediate.dense.weight"][0],
            "num_hidden_layers": sum(name.endswith("attention.self.query.weight") for name in found),
            "num_attention_heads": width // 64,
        }
    except KeyError as error:
        raise UserError(
            f"the text tower is no BERT (no {error}), and its settings are not there",
            file=checkpoint.path,
            fix="put the config.json of the text tower beside the weights, and give -o library=open_clip",
        ) from error
    (place / "config.json").write_text(json.dumps(fields), encoding="utf-8")
    return place
