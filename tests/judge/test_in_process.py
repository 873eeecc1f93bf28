"""A judge in this process, ``hf:PATH``, from the command line: a real checkpoint of toy size with a constant opinion."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support import write_jsonl

Command = Callable[..., Any]
OPINION = '{"verdict": "partial"}'
ANSWERS = [
    {"id": "a", "prediction": "left kidney", "reference": "right kidney", "question": "Where is the stone?"},
    {"id": "b", "prediction": "kidney", "reference": "right kidney", "question": "Where is the stone?"},
    {"id": "c", "prediction": "", "reference": "spleen", "question": "What is large?"},
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A llama whose layers add nothing, so that the last token alone decides: the opinion, then the end."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    place = tmp_path_factory.mktemp("judges") / "constant"
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*letters, "<end>"])}
    words = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")
    tokenizer.add_tokens([OPINION])
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
    tokenizer.save_pretrained(place)
    opinion, end, last = tokenizer.convert_tokens_to_ids([OPINION, "<end>", "Ġ"])
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=65_536, eos_token_id=end, **size)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        model.lm_head.weight[opinion] = model.model.embed_tokens.weight[last]
        model.lm_head.weight[end] = model.model.embed_tokens.weight[opinion]
    model.save_pretrained(place)
    return place


@pytest.fixture
def run(command: Command, tmp_path: Path) -> Path:
    file = write_jsonl(tmp_path / "answers.jsonl", ANSWERS)
    command("score", file, "--task", "vqa_open", "--scoring", "upstream", "--out", tmp_path / "run")
    return tmp_path / "run"


def judged(run: Path) -> tuple[dict[str, float], dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    (about,) = json.loads((run / "summary.json").read_text())["tasks"]["vqa_open"]["judges"]
    return {row["id"]: row["value"] for row in rows if row["metric"] == "judge_answer_match"}, about


def test_a_model_in_process_judges_a_run(run: Path, checkpoint: Path, command: Command) -> None:
    call = ("judge", run, "--judge-model", f"hf:{checkpoint}")
    done = command(*call)
    values, about = judged(run)
    assert values == {"a": 50.0, "b": 50.0, "c": 0.0}
    assert about["model"] == "constant"
    assert about["publishable"]
    assert "judged by constant" in done.stdout
    before = (run / "summary.json").read_bytes()
    command(*call)
    assert (run / "summary.json").read_bytes() == before


def test_the_weights_are_part_of_who_judged(run: Path, checkpoint: Path, command: Command, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    moved, other = tmp_path / "constant", tmp_path / "changed" / "constant"
    shutil.copytree(checkpoint, moved)
    shutil.copytree(checkpoint, other)
    weights = load_file(other / "model.safetensors")
    save_file({name: value + 1e-3 for name, value in weights.items()}, other / "model.safetensors", {"format": "pt"})
    signatures = []
    for place in (checkpoint, moved, other):
        command("judge", run, "--judge-model", f"hf:{place}")
        signatures.append(judged(run)[1]["signature"])
    assert signatures[0] == signatures[1] != signatures[2]


def test_an_audit_of_a_model_in_process(checkpoint: Path, command: Command, tmp_path: Path) -> None:
    call = ("judge", "audit", "--judge-model", f"hf:{checkpoint}", "--rubric", "answer-match", "--cases", "2")
    done = command(*call, "--repeats", "2", "--attacked", "1", "--out", tmp_path, code=1)
    assert "NOT FIT FOR USE: itself" in done.stdout
    checks = {check["name"]: check for check in json.loads((tmp_path / "audit.json").read_text())["checks"]}
    assert checks["itself"]["value"] == 50
    assert checks["attacks"]["value"] == 0
    assert checks["wrong side"]["passed"] in (False, None)


def test_a_folder_that_is_no_model_is_named(run: Path, checkpoint: Path, command: Command, tmp_path: Path) -> None:
    torn = shutil.copytree(checkpoint, tmp_path / "torn") / "model.safetensors"
    torn.write_bytes(torn.read_bytes()[:3000])
    done = command("judge", run, "--judge-model", f"hf:{torn.parent}", code=2)
    assert "cannot be loaded as a language model" in done.stderr
    (tmp_path / "nothing").mkdir()
    done = command("judge", run, "--judge-model", f"hf:{tmp_path / 'nothing'}", code=2)
    assert "config.json is missing" in done.stderr
