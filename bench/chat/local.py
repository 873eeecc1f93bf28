"""The client that runs a transformers model in this process: nothing leaves the machine."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from m3dbench.chat.messages import ChatReply, ChatRequest, Usage
from m3dbench.chat.store import Memory, Store
from m3dbench.errors import UserError, missing_extra

DEFAULT_COMPLETION = 1000


@dataclass
class LocalClient:
    """See ``m3dbench.chat.client.Client``. A causal language model with a chat template, from local files alone and
    without any code of theirs, greedy, in its own precision on a GPU where there is one, else in float32.

    batch_size: requests at once; above one, padding may change the last bits of what the model computes, and with
    them, rarely, an answer. Options other than ``max_tokens`` are not for it: ``temperature`` above 0 is refused.
    """

    path: Path
    batch_size: int = 1
    store: Store = field(default_factory=Memory)

    def __post_init__(self) -> None:
        if not (self.path / "config.json").is_file():
            raise UserError("is no directory of a transformers model (config.json is missing)", file=self.path)
        self._counts: Counter[str] = Counter()
        self._used = Usage()

    def complete(self, requests: Iterable[ChatRequest]) -> Iterator[tuple[int, ChatReply]]:
        source = iter(enumerate(requests))
        while batch := list(islice(source, self.batch_size)):
            missing = {}
            for _, request in batch:
                if self.store.get(self.digest(request)) is None:
                    missing[self.digest(request)] = request
            failed = {}
            if missing:
                for digest, reply in zip(missing, self._generate(list(missing.values())), strict=True):
                    self._counts[reply.status] += 1
                    self._used += reply.usage
                    if reply.status == "ok":
                        self.store.put(digest, reply)
                    else:
                        failed[digest] = reply
            for index, request in batch:
                digest = self.digest(request)
                known = failed.get(digest) or self.store.get(digest)
                assert known is not None  # noqa: S101 - put there above
                yield index, known

    def digest(self, request: ChatRequest) -> str:
        return request.digest("transformers", self._revision)

    def facts(self) -> Mapping[str, Any]:
        return {"endpoint": "transformers", "model": self.path.name, "revision": self._revision}

    def recorded(self) -> Mapping[str, Any]:
        used = {"prompt_tokens": self._used.prompt_tokens, "completion_tokens": self._used.completion_tokens}
        return {"path": str(self.path.resolve()), **used, "cost": 0.0, **dict(sorted(self._counts.items()))}

    @cached_property
    def _revision(self) -> str:
        """SHA-256 over the names and contents of the model's files."""
        whole = hashlib.sha256()
        for file in sorted(path for path in self.path.rglob("*") if path.is_file() and not path.name.startswith(".")):
            whole.update(str(file.relative_to(self.path)).encode() + b"\0")
            with file.open("rb") as stream:
                whole.update(hashlib.file_digest(stream, "sha256").digest())
        return whole.hexdigest()

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        try:
            import torch
            from safetensors import SafetensorError
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils import logging
        except ImportError as error:
            raise missing_extra("A model in process (hf:PATH)", "models") from error
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        gpu = torch.cuda.is_available()
        settings: Any = logging
        settings.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path, padding_side="left", **local)
            precision = "auto" if gpu else torch.float32
            model: Any = AutoModelForCausalLM.from_pretrained(self.path, dtype=precision, **local)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, SafetensorError) as error:
            raise UserError(f"cannot be loaded as a language model: {error}", file=self.path) from error
        if tokenizer.chat_template is None:
            raise UserError("the tokenizer has no chat template", file=self.path, fix="choose an instruction model")
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        model = model.eval()
        return tokenizer, model.cuda() if gpu else model

    def _generate(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        import torch

        for request in requests:
            if request.options.get("temperature"):
                raise UserError("a model in process answers greedily", field="temperature", fix="set it to 0")
        tokenizer, model = self._loaded
        prompts = [
            tokenizer.apply_chat_template(
                [{"role": message["role"], "content": _plain(message)} for message in request.messages],
                tokenize=False,
                add_generation_prompt=True,
            )
            for request in requests
        ]
        fed = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        limits = [int(request.options.get("max_tokens") or DEFAULT_COMPLETION) for request in requests]
        room = getattr(model.config, "max_position_embeddings", None)
        sizes = fed["attention_mask"].sum(dim=1).tolist()
        if room is not None and max(sizes) >= room:
            if len(requests) > 1:
                return [reply for request in requests for reply in self._generate([request])]
            return [ChatReply("failed", reason=f"the prompt has {sizes[0]} tokens, the model takes {room}")]
        with torch.inference_mode():
            made = model.generate(
                **fed, max_new_tokens=max(limits), do_sample=False, pad_token_id=tokenizer.pad_token_id
            )
        replies = []
        for row, prompt_tokens, limit in zip(made, sizes, limits, strict=True):
            answer = row[fed["input_ids"].shape[1] :][:limit].tolist()
            ends = {tokenizer.eos_token_id, *_listed(model.generation_config.eos_token_id)}
            stop = next((place for place, token in enumerate(answer) if token in ends), None)
            text = tokenizer.decode(answer[:stop] if stop is not None else answer, skip_special_tokens=True)
            used = Usage(int(prompt_tokens), len(answer) if stop is None else stop + 1)
            finish = "length" if stop is None else "stop"
            replies.append(ChatReply("ok", text, finish_reason=finish, usage=used, model=self.path.name))
        return replies


def _plain(message: Mapping[str, Any]) -> str:
    """The text of a message. Raises UserError for an image, which a text model cannot see."""
    content = message["content"]
    if isinstance(content, str):
        return content
    if any(part["type"] != "text" for part in content):
        raise UserError("the model reads text alone, and the request holds an image", field="model")
    return "".join(part["text"] for part in content)


def _listed(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value or ())
