"""Token embeddings of a local transformer for BERTScore. Never downloads, never runs code that comes with weights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
# Padded tokens of one forward pass: about 1 GB of activations at 1024 dimensions.
BATCH_TOKENS = 8192
# Architectures that number positions from the padding id on.
OFFSET_POSITIONS = {"roberta", "xlm-roberta", "camembert", "longformer", "data2vec-text", "mpnet"}
SAMPLES, SAMPLE_BYTES = 64, 1 << 16


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why there is no encoder, and what to do about it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ids of one text as the encoder reads it, and how many there were before truncation."""

    ids: tuple[int, ...]
    full_length: int


def find_folder(model: str) -> Path | None:
    """The folder of ``model``: itself, or the snapshot of a hub id in the local cache; None when neither is there."""
    folder = Path(model).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if not HUB_ID.fullmatch(model):
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    config = try_to_load_from_cache(model, "config.json")
    return Path(config).parent if isinstance(config, str) else None


def digest(folder: Path) -> str:
    """16 hex digits that identify the files of an encoder: small files whole, weights by size and 64 spread samples.

    Sampled because a signature is wanted at start-up, where nothing may read gigabytes.
    """
    files = sorted(
        path for path in folder.iterdir() if path.suffix in {".json", ".txt", ".model", ".safetensors", ".bin"}
    )
    return _digest(tuple((path, (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files))


@lru_cache(maxsize=8)
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    total = hashlib.sha256()
    for path, size, _ in files:
        total.update(f"{path.name}:{size}:".encode())
        with path.open("rb") as stream:
            if size <= SAMPLES * SAMPLE_BYTES:
                total.update(stream.read())
                continue
            for sample in range(SAMPLES):
                stream.seek(sample * (size - SAMPLE_BYTES) // (SAMPLES - 1))
                total.update(stream.read(SAMPLE_BYTES))
    return total.hexdigest()[:16]


class Encoder:
    """A tokenizer and the first ``layer`` layers of a transformer, in float32 and evaluation mode."""

    def __init__(self, folder: Path, layer: int, device: str) -> None:
        import torch
        from transformers import AutoConfig, AutoModel, AutoTokenizer
        from transformers.utils import logging as transformers_logging

        local = {"local_files_only": True, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(folder, **local)
        if not 0 < layer <= config.num_hidden_layers:
            raise ValueError(f"it has {config.num_hidden_layers} layers, layer {layer} was asked for")
        positions = int(getattr(config, "max_position_embeddings", 1 << 30))
        # Byte-level vocabularies tell "word" from " word": a text starts with a word, not inside one.
        spaced = config.model_type in {"roberta", "gpt2"}
        if config.model_type in OFFSET_POSITIONS:
            positions -= int(config.pad_token_id) + 1
        logging: Any = transformers_logging
        verbosity, progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
        # The layers left out are reported as unexpected weights.
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            options = {"add_prefix_space": True} if spaced else {}
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, **local, **options)
            config.num_hidden_layers = layer
            model: Any = AutoModel.from_pretrained(folder, config=config, **local)
        finally:
            logging.set_verbosity(verbosity)
            if progress:
                logging.enable_progress_bar()
        self.device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self.model: Any = model.float().eval().to(self.device)
        self.limit = min(int(self.tokenizer.model_max_length), positions)
        self.special = {self.tokenizer.cls_token_id, self.tokenizer.sep_token_id}
        self.padding = int(self.tokenizer.pad_token_id or 0)

    def tokens(self, text: str) -> Tokens:
        ids = self.tokenizer(text, add_special_tokens=True, truncation=False, verbose=False)["input_ids"]
        if len(ids) <= self.limit:
            return Tokens(tuple(ids), len(ids))
        kept = self.tokenizer(text, add_special_tokens=True, truncation=True, max_length=self.limit)["input_ids"]
        return Tokens(tuple(kept), len(ids))

    def embed(self, texts: Iterable[Tokens]) -> Mapping[Tokens, Any]:
        """Vectors (tokens, dimensions) of each text, on the encoder's device."""
        import torch

        found: dict[Tokens, Any] = {}
        for batch in batches(sorted(set(texts), key=lambda text: (len(text.ids), text.ids))):
            longest = len(batch[-1].ids)
            ids = torch.full((len(batch), longest), self.padding)
            mask = torch.zeros((len(batch), longest), dtype=torch.long)
            for row, text in enumerate(batch):
                ids[row, : len(text.ids)] = torch.tensor(text.ids)
                mask[row, : len(text.ids)] = 1
            with torch.inference_mode():
                hidden = self.model(ids.to(self.device), attention_mask=mask.to(self.device))[0]
            # A clone, as a view of the row would keep the whole padded batch in memory.
            found.update((text, hidden[row, : len(text.ids)].clone()) for row, text in enumerate(batch))
        return found

    def match(self, prediction: tuple[Tokens, Any], reference: tuple[Tokens, Any]) -> float:
        """F1 of greedy cosine matching, -1 to 1. Special tokens may be matched but carry no weight."""
        import torch

        with torch.inference_mode():
            # Double precision here leaves only the encoder's own rounding to depend on the batch.
            left, right = (text[1].double() for text in (prediction, reference))
            cosines = (left / left.norm(dim=1, keepdim=True)) @ (right / right.norm(dim=1, keepdim=True)).T
            best = cosines.max(dim=1).values, cosines.max(dim=0).values
        means = []
        for (text, _), values in zip((prediction, reference), best, strict=True):
            counted = [
                value for value, token in zip(values.tolist(), text.ids, strict=True) if token not in self.special
            ]
            if not counted:
                return 0.0
            means.append(sum(counted) / len(counted))
        precision, recall = means
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def batches(texts: Sequence[Tokens]) -> Iterator[list[Tokens]]:
    """Cut texts, ordered by length, into batches of at most ``BATCH_TOKENS`` padded tokens (one text at least)."""
    batch: list[Tokens] = []
    for text in texts:
        if batch and (len(batch) + 1) * len(text.ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


@lru_cache(maxsize=2)
def load_encoder(model: str, layer: int, device: str) -> Encoder | Unavailable:
    """The encoder, loaded once a process; ``Unavailable`` says what was looked for when it cannot be had."""
    folder = find_folder(model)
    hint = "give a local encoder with --bertscore-model PATH --bertscore-layer N"
    if folder is None:
        looked = f"no folder {model!r} with a config.json, and no such id in the local Hugging Face cache"
        return Unavailable(f"BERTScore encoder not found: {looked} (nothing is downloaded while scoring); {hint}")
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        return Unavailable(f"BERTScore needs {' and '.join(missing)}: pip install 'm3dbench[bertscore]'")
    try:
        return Encoder(folder, layer, device)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Unavailable(
            f"BERTScore encoder {model!r} (layer {layer}) in {folder} cannot be loaded: {first_line}; {hint}"
        )
