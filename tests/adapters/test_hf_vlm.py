"""hf-vlm on a tiny LLaVA: batches, prompts, refusals, and every declared task from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_slice_models import TEMPLATE, make_vlm
from safetensors.torch import save_file
from transformers import LlavaForConditionalGeneration

from m3dbench import registry
from m3dbench.adapter import Context, Query
from m3dbench.adapters.slices.showing import TASKS
from m3dbench.data.sample import AnswerKind, Request
from m3dbench.errors import UserError

GRID = (12, 40, 50)
IMAGE_TOKENS, IMAGE = 16, 3
BOX = (0.25, 0.2, 0.5, 0.75, 0.6, 0.9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_vlm(tmp_path_factory.mktemp("hf_vlm") / "llava")


@pytest.fixture(scope="module")
def vlm(folder: Path) -> Any:
    return made(folder, slices="3", max_new_tokens=12)


def made(folder: Path, answer: AnswerKind = "text", **options: Any) -> Any:
    adapter = registry.create("adapters", "hf-vlm", {"weights": str(folder), **options})
    adapter.prepare(Context("some", answer, 0, train=lambda: iter(())))
    return adapter


def query(seed: int, question: str) -> Query:
    volume = np.random.default_rng(seed).random((1, *GRID), dtype=np.float32)
    return Query(f"{seed}", "case", Request("answer", wording=question), lambda: volume, lambda: GRID)


def test_an_answer_does_not_depend_on_its_batch(vlm: Any) -> None:
    queries = [query(seed, "Which organ?" + " Say so." * 9 * seed) for seed in range(4)]
    together = vlm.predict(queries)
    for one, asked in zip(together, queries, strict=True):
        (alone,) = vlm.predict([asked])
        assert (alone.text, alone.prompt_ids) == (one.text, one.prompt_ids)
        assert one.prompt_ids.count(IMAGE) == 3 * IMAGE_TOKENS
        assert one.prompt_ids.count(0) == 1, "the template's start token, and no second one"
        assert one.prompt_ids[0] == 0
        assert "slices 3, 7, 11 of the 12 slices" in one.wording
        assert one.wording not in one.text, "new tokens alone"
    assert len({one.text for one in together}) > 1


def test_answers_rest_on_the_pictures_and_decoding_is_greedy(vlm: Any, folder: Path) -> None:
    first, other = vlm.predict([query(0, "Which organ?")]), vlm.predict([replace(query(1, "Which organ?"), id="0")])
    assert first[0].wording == other[0].wording
    logits = [vlm._runner._next([(vlm._showing.pictures(query(seed, "").volume(), "answer"), "x")]) for seed in (0, 1)]
    assert (logits[0] != logits[1]).any()
    assert vlm.predict([query(0, "Which organ?")])[0].text == first[0].text  # its own settings ask for sampling
    assert json.loads((folder / "generation_config.json").read_text())["do_sample"] is True
    blind = made(folder, slices="none", max_new_tokens=4)
    assert blind.tasks == TASKS - {"rec", "reg"}
    (said,) = blind.predict([query(0, "Which organ?")])
    assert IMAGE not in said.prompt_ids
    assert said.notes in ((), ("answer cut at the token limit",))


def test_boxes_come_in_the_declared_convention(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from m3dbench.adapters.hf_vlm.running import Spoken
    from m3dbench.metrics.box_text import box_from_text

    for flip in ("", "dw"):
        adapter = made(folder, "box", slices="2", flip=flip)
        said = Spoken("[500, 200, 250, 900, 600, 750]", (1,), cut=False)  # x, y, z in the pictures
        monkeypatch.setattr(adapter._runner, "answer", lambda asked, limit, said=said: [said] * len(asked))
        asked = replace(query(0, "Where?"), request=Request("locate", wording="Where is the block?"))
        (answer,) = adapter.predict([asked])
        assert "[x0, y0, z0, x1, y1, z1]" in answer.wording
        box = answer.box and adapter.boxes.to_canonical(answer.box, GRID)
        box = box or box_from_text(said.text, convention=adapter.boxes, grid=GRID).box
        expected = BOX if not flip else (0.25, 0.2, 0.1, 0.75, 0.6, 0.5)
        assert box == pytest.approx(expected, abs=2e-3)


def test_a_prompt_without_room_is_an_error_that_says_so(vlm: Any) -> None:
    with pytest.raises(UserError, match="the model takes 1024 with the answer's 12") as caught:
        vlm.predict([query(0, "so " * 500)])
    assert "fewer or smaller slices" in str(caught.value)


def test_foreign_code_runs_only_where_it_is_trusted(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    fields = json.loads((folder / "config.json").read_text())
    fields |= {
        "model_type": "own_llava",
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForImageTextToText": "own.Own"},
    }
    (tmp_path / "config.json").write_text(json.dumps(fields))
    tensors = LlavaForConditionalGeneration.from_pretrained(folder).state_dict()
    save_file(
        {name: value.clone() for name, value in tensors.items()}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    marker = tmp_path / "it-ran"
    (tmp_path / "own.py").write_text(
        "from pathlib import Path\n"
        "from transformers import LlavaConfig, LlavaForConditionalGeneration\n\n"
        f"Path({str(marker)!r}).touch()\n\n\n"
        "class OwnConfig(LlavaConfig):\n    model_type = 'own_llava'\n\n\n"
        "class Own(LlavaForConditionalGeneration):\n    config_class = OwnConfig\n"
    )
    with pytest.raises(UserError, match="trust") as caught:
        made(tmp_path)
    assert "--trust-remote-code" in str(caught.value)
    assert not marker.exists()
    trusted = made(tmp_path, trust_remote_code=True, slices="2", max_new_tokens=4)
    assert marker.exists()
    assert len(trusted.facts()["remote_code"]) == 64
    assert trusted.predict([query(0, "Which organ?")])[0].status == "ok"


def test_a_folder_without_a_chat_template_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.name != "chat_template.jinja":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert (folder / "chat_template.jinja").read_text() == TEMPLATE
    with pytest.raises(UserError, match="no chat template"):
        made(tmp_path)


IMAGE_TOKENS_OF = {
    # 56 pixels a side: 16 patches, four of which become a token; the montage is 56 by 140 there.
    "qwen": {"slices": [12], "montage": [10]},
    # Four a picture, whatever its form.
    "gemma": {"slices": [12], "montage": [4]},
    # Four a square tile; the montage is two tiles, and once more as a whole.
    "internvl": {"slices": [12], "montage": [12]},
}


def test_families_with_processors_of_their_own(tmp_path: Path, beside_torchvision: Callable[[str, Path], Any]) -> None:
    told = beside_torchvision("vlm_driver.py", tmp_path)
    assert "Package `num2words` is required" in told["without num2words"]
    for family, tokens in IMAGE_TOKENS_OF.items():
        assert told[family]["tokens"] == tokens, family
        assert told[family]["gap"] > 0.01, "other pictures, other logits"
        for together, alone in told[family]["said"]:
            assert together == alone, family
            assert len({text for text, _ in together}) > 1, family


def test_a_processor_without_its_package_names_it(folder: Path, tmp_path: Path) -> None:
    if find_spec("torchvision") is not None:
        pytest.skip("torchvision is here")
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    parts = {"image_processor_type": "Qwen2VLImageProcessor"}, {"video_processor_type": "Qwen2VLVideoProcessor"}
    fields = {"processor_class": "Qwen2_5_VLProcessor", "image_processor": parts[0], "video_processor": parts[1]}
    (tmp_path / "processor_config.json").write_text(json.dumps(fields))
    with pytest.raises(UserError, match="requires the Torchvision library") as caught:
        made(tmp_path)
    assert "install the package" in str(caught.value)


def test_a_torn_file_of_weights_is_named(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:2000])
    for path in folder.glob("*.json*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="the weights cannot be read") as caught:
        made(tmp_path)
    assert "download the folder again" in str(caught.value)


def test_every_declared_task_runs(
    folder: Path, phantom: Path, tmp_path: Path, command: Callable[..., int], capsys: Any
) -> None:
    call = ["run", "--model", "hf-vlm", "-o", f"weights={folder}", "-o", "slices=2", "-o", "max_new_tokens=6"]
    call += ["--data", str(phantom), "--limit", "2", "--scoring", "corrected"]
    assert command(*call, "--out", tmp_path / "run") == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())["tasks"]
    assert set(run) == TASKS
    for name, task in run.items():
        summary = json.loads((tmp_path / "run" / name / "summary.json").read_text())["tasks"][name]
        assert summary["predictions"] == {"ok": 2, "error": 0, "refused": 0, "missing": 0}, name
        facts = task["facts"]["resume"]["model_facts"]
        assert facts["generation"] == {"decoding": "greedy", "max_new_tokens": 6}
        assert {len(facts["weights"]), len(facts["settings"])} == {64}
        assert facts["remote_code"] is None
        checks = {check["name"] for check in task["facts"]["recorded"]["model"]["self_checks"]}
        assert checks == {"libraries", "image is seen", "decoding repeats"}
    capsys.readouterr()
    assert command(*call, "--task", "seg_semantic", "--out", tmp_path / "no") == 2
    assert "it declares: rec, reg, report_generation, vqa_closed, vqa_open" in capsys.readouterr().err
