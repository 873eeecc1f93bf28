"""Training of the toy checkpoints: cases no data set holds, texts that the tokenizer covers, steps that lower the loss."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from m3dbench.adapters.m3d_lamed import wording
from m3dbench.adapters.m3d_lamed.training.cases import FOLDER, PREPARATIONS, draw_case, facts_for
from m3dbench.data.phantom import DATASETS, draw, resample
from m3dbench.data.phantom.plan import Sizes, cap_cases, refseg_cases, seg_volumes
from m3dbench.data.sample import Request
from m3dbench.metrics.choice_text import extract_choice

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

GRID = (24, 64, 64)


def test_no_split_of_any_phantom_holds_a_training_case():
    for seed in (0, 20261121):
        for sizes in (Sizes(3, 1, 2), Sizes(60, 6, 30)):
            drawn = [case.drawn for case in cap_cases(sizes, seed)]
            drawn += [volume.drawn for code in DATASETS for volume in seg_volumes(code, sizes)]
            drawn += [f"RefSeg/{name}" for name, _ in refseg_cases(sizes, seed)]
            assert not [name for name in drawn if name.split("/")[0] == FOLDER]
        assert {facts_for(number, seed).case.split("/")[0] for number in range(10)} == {FOLDER}


def test_a_training_case_is_prepared_as_the_data_set_prepares_it():
    number = PREPARATIONS.index("seg")
    case = draw_case(number, 3)
    drawn = draw(case.facts.case, seed=3, plane="Axial")
    values = resample.unit(resample.z_score(drawn.hu))
    assert np.abs(case.volume - resample.fit(values, GRID)).max() <= 0.5 / 255 + 1e-6
    box = resample.foreground(values)
    np.testing.assert_array_equal(case.case.mask("liver"), resample.nearest(drawn.mask("liver")[box], GRID))


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(Path(wording.__file__).parent / "tiny" / "tokenizer.json"))


def test_the_tokenizer_depends_on_the_texts_alone():
    from m3dbench.adapters.m3d_lamed.training.vocabulary import corpus, language_tokenizer

    texts = list(corpus(12))
    assert language_tokenizer(texts).to_str() == language_tokenizer(corpus(12)).to_str()
    assert language_tokenizer(texts[::-1]).get_vocab() == language_tokenizer(texts).get_vocab()


def test_texts_of_other_seeds_are_covered_and_come_back(tokenizer):
    from m3dbench.adapters.m3d_lamed.training.examples import example_of

    unknown = tokenizer.token_to_id("<unk>")
    draws = np.random.default_rng(1)
    missed = 0
    for number in range(10):
        case = draw_case(number, 99)
        for _ in range(8):
            example = example_of(case, draws)
            for text in (example.prompt, example.answer):
                ids = tokenizer.encode(text, add_special_tokens=False).ids
                missed += unknown in ids
                assert unknown in ids or tokenizer.decode(ids, skip_special_tokens=False) == text
    assert missed == 0
    assert tokenizer.decode(tokenizer.encode(" Zygote liver", add_special_tokens=False).ids[1:]) == " liver"


def test_the_kept_tokenizers_know_every_phrase_of_the_wording():
    transformers = pytest.importorskip("transformers")
    folder = Path(wording.__file__).parent / "tiny"
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    fields = json.loads((folder / "config.json").read_text())
    requests = [
        Request("report"),
        Request("locate", target="vertebrae L1"),
        Request("locate", description="A gland that makes bile."),
        Request("segment", target="lung lower lobe left"),
        Request("segment", description="The organ inside the skull."),
        Request("name_region", box=(0.125, 0.25, 0.5, 0.5, 0.75, 1.0), wording="Name and describe it."),
        Request("name_region", target="brain"),
        Request(
            "choose", question="What is the phase or window of this CT?", choices={"A": "Lung window", "B": "None"}
        ),
    ]
    for request in requests:
        ids = tokens(wording.prompt(request, GRID, 48)).input_ids
        assert ids[0] == fields["bos_token_id"] and ids[1:49] == [tokens.convert_tokens_to_ids(wording.IMAGE)] * 48
        assert tokens.unk_token_id not in ids
    assert tokens.convert_tokens_to_ids("[SEG]") == fields["seg_token_id"]


def test_kept_weights_are_small():
    adapters = Path(wording.__file__).parents[1]
    sizes = [path.stat().st_size for path in adapters.glob("*/tiny/*.safetensors")]
    assert len(sizes) == 2 and sum(sizes) <= 12_000_000


def test_a_choice_answered_with_its_text_is_read_as_that_choice():
    offered = {"A": "Left lower lobe", "B": "Right lower lobe", "C": "None", "D": "29 mm"}
    assert [extract_choice(text, offered) for text in ("Right lower lobe", "None", "29 mm", "28 mm")] == [
        "B",
        "C",
        "D",
        None,
    ]


def _tower(tmp_path: Path, count: int = 4):
    from m3dbench.adapters.m3d_lamed.training.pool import Pool
    from m3dbench.adapters.m3d_lamed.training.tower import TowerStage
    from m3dbench.adapters.nets.vit3d import ViT3DConfig

    class Held(Pool):
        def __getitem__(self, number):
            return cases[number]

    config = ViT3DConfig(GRID, (4, 8, 8), 1, 48, 96, 2, 2)
    torch.manual_seed(0)
    return TowerStage(config, Held(tmp_path, 5), count, batch=2, lr=5e-3)


cases = [draw_case(number, 5) for number in range(5)]


def test_steps_lower_the_loss_and_a_killed_training_ends_with_the_same_weights(tmp_path, monkeypatch):
    from m3dbench.adapters.m3d_lamed.training import loop

    monkeypatch.setattr(loop, "_SAVE_SECONDS", 0.0)
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole = _tower(tmp_path)
    before = float(whole.losses(np.random.default_rng(0))["dense"].detach())
    loop.train(whole, loop.Budget(steps=8), tmp_path / "whole", 1)
    assert float(whole.losses(np.random.default_rng(0))["dense"].detach()) < 0.97 * before

    killed = _tower(tmp_path)
    sound, calls = killed.losses, []

    def failing(draws):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return sound(draws)

    monkeypatch.setattr(killed, "losses", failing)
    with pytest.raises(KeyboardInterrupt):
        loop.train(killed, loop.Budget(steps=8), tmp_path / "killed", 1)
    resumed = _tower(tmp_path)
    loop.train(resumed, loop.Budget(steps=8), tmp_path / "killed", 1)
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, resumed.module.state_dict()[name]), name


def test_questions_packed_on_one_volume_have_the_states_that_they_have_alone(tokenizer, tmp_path):
    from m3dbench.adapters.m3d_lamed.config import LaMedConfig
    from m3dbench.adapters.m3d_lamed.model import LaMed, rename
    from m3dbench.adapters.m3d_lamed.training.examples import example_of
    from m3dbench.adapters.m3d_lamed.training.export import published_name
    from m3dbench.adapters.m3d_lamed.training.language import LanguageStage
    from m3dbench.adapters.m3d_lamed.training.masks import PromptTable
    from m3dbench.adapters.m3d_lamed.training.sizes import lamed_fields

    torch.manual_seed(0)
    model = LaMed(LaMedConfig.of(lamed_fields(tokenizer.get_vocab_size(), tokenizer.token_to_id("[SEG]"))))

    class Bank:
        def pooled(self, numbers):
            return features[list(numbers)]

    features = torch.randn(5, 48, 160)
    stage = LanguageStage(model, PromptTable(160), tokenizer, Bank(), cases, 5)
    draws = np.random.default_rng(0)
    volumes = [(number, [stage.encode(example_of(cases[number], draws)) for _ in range(3)]) for number in (2, 4)]
    with torch.inference_mode():
        packed = stage.pack(volumes)
        rows = [(number, row) for number, several in volumes for row in several]
        for (index, start), (number, row) in zip(packed.places, rows, strict=True):
            alone = model([model.projector(features[number])], [torch.tensor([1, *[3] * 48, *row.ids])])[1][0, 49:]
            torch.testing.assert_close(packed.states[index, start : start + len(row.ids)], alone, atol=1e-5, rtol=1e-4)
    assert all(value.requires_grad for value in stage.losses_of(volumes).values())
    names = list(model.state_dict())
    assert [rename(published_name(name)) for name in names] == names
