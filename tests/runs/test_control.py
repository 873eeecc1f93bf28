"""Controls: what they show instead of the data, the same on every machine and in every order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m3dbench.data.dataset import DataSource
from m3dbench.data.files import DataFiles
from m3dbench.data.manifest import Manifest, samples_of, write_manifest
from m3dbench.data.records import QuestionRecord
from m3dbench.data.sample import FileRef, Sample
from m3dbench.errors import DataError, UserError
from m3dbench.runs import control
from m3dbench.runs.engine import open_data
from m3dbench.task import Asking
from m3dbench.tasks.vqa_closed import VqaClosed
from m3dbench.tasks.vqa_open import VqaOpen

VOLUMES = ("blank", "shuffle-slices", "swap")


@pytest.fixture(scope="module")
def source(phantom: Path) -> DataSource:
    return open_data(phantom)


@pytest.fixture(scope="module")
def ask(source: DataSource) -> Asking:
    return Asking(0, DataFiles(source.root.path).mask)


@pytest.fixture(scope="module")
def manifest(source: DataSource, ask: Asking, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    samples = samples_of(VqaClosed(), source, "test", ask, None)
    return write_manifest(samples, tmp_path_factory.mktemp("manifest") / "manifest.jsonl")


def refs(manifest: Manifest) -> dict[str, tuple[str, FileRef]]:
    """Path -> case and volume."""
    return {sample.volume.path: (sample.case, sample.volume) for sample in manifest if sample.volume is not None}


def shown(name: str, source: DataSource, manifest: Manifest, seed: int = 0) -> DataFiles:
    return control.shown(name, DataFiles(source.root.path), manifest, seed)


@pytest.mark.parametrize("name", VOLUMES)
def test_a_volume_is_replaced_alike_in_any_order(name: str, source: DataSource, manifest: Manifest) -> None:
    volumes = refs(manifest)
    one, other = shown(name, source, manifest), shown(name, source, manifest)
    forwards = {path: one.volume(ref).tobytes() for path, (_, ref) in volumes.items()}
    backwards = {path: other.volume(ref).tobytes() for path, (_, ref) in reversed(volumes.items())}
    assert forwards == backwards
    plain = DataFiles(source.root.path)
    for path, (_, ref) in volumes.items():
        assert plain.volume(ref).tobytes() != forwards[path]
        assert one.volume(ref).dtype == np.float32
        assert not one.volume(ref).flags.writeable
        assert one.grid(ref) == plain.grid(ref) == one.volume(ref).shape[-3:]
    if name != "blank":
        reseeded = shown(name, source, manifest, seed=1)
        assert any(reseeded.volume(ref).tobytes() != forwards[path] for path, (_, ref) in volumes.items())


def test_blank_is_the_mean_everywhere(source: DataSource, manifest: Manifest) -> None:
    _, ref = next(iter(refs(manifest).values()))
    blank = shown("blank", source, manifest).volume(ref)
    assert np.unique(blank).size == 1
    assert blank.flat[0] == pytest.approx(DataFiles(source.root.path).volume(ref).mean(), abs=1e-6)


def test_shuffled_slices_are_the_same_slices_in_another_order(source: DataSource, manifest: Manifest) -> None:
    _, ref = next(iter(refs(manifest).values()))
    shuffled, plain = shown("shuffle-slices", source, manifest).volume(ref), DataFiles(source.root.path).volume(ref)
    slices = [[part.tobytes() for part in volume[0]] for volume in (shuffled, plain)]
    assert slices[0] != slices[1]
    assert sorted(slices[0]) == sorted(slices[1])


def test_a_swap_shows_another_case_never_the_same(source: DataSource, manifest: Manifest) -> None:
    plain = DataFiles(source.root.path)
    case_of = {plain.volume(ref).tobytes(): case for case, ref in refs(manifest).values()}
    for seed in range(3):
        swapped = shown("swap", source, manifest, seed)
        for case, ref in refs(manifest).values():
            assert case_of[swapped.volume(ref).tobytes()] != case


def small_set(tmp_path: Path, volumes: dict[str, np.ndarray]) -> tuple[DataFiles, Manifest]:
    from m3dbench.data.sample import Reference, Request

    for name, volume in volumes.items():
        np.save(tmp_path / name, volume)
    samples = (
        Sample(name, name[0], Request("report"), Reference("x"), volume=FileRef(name)) for name in sorted(volumes)
    )
    return DataFiles(tmp_path), write_manifest(samples, tmp_path / "manifest.jsonl")


def test_a_swap_keeps_to_the_grid_and_to_readable_volumes(tmp_path: Path) -> None:
    draw = np.random.default_rng(0).random
    grids = {"a.npy": (1, 3, 4, 5), "b.npy": (1, 3, 4, 5), "c.npy": (1, 2, 4, 5), "d.npy": (1, 3, 4, 5)}
    files, manifest = small_set(tmp_path, {name: draw(grid) for name, grid in grids.items()})
    np.save(tmp_path / "d.npy", np.zeros((1, 3, 4, 5)))  # constant: refused on loading
    for seed in range(8):
        swapped = control.shown("swap", files, manifest, seed)
        assert (swapped.volume(FileRef("a.npy")) == files.volume(FileRef("b.npy"))).all()
        with pytest.raises(DataError, match="no other case"):
            swapped.volume(FileRef("c.npy"))
        with pytest.raises(DataError, match="constant"):
            swapped.volume(FileRef("d.npy"))


def test_a_swap_needs_two_cases_and_a_shuffle_two_slices(tmp_path: Path) -> None:
    files, manifest = small_set(tmp_path, {"a.npy": np.random.default_rng(0).random((1, 1, 4, 5))})
    with pytest.raises(UserError, match="two cases"):
        control.shown("swap", files, manifest, 0)
    with pytest.raises(DataError, match="one slice"):
        control.shown("shuffle-slices", files, manifest, 0).volume(FileRef("a.npy"))


def test_permuted_choices_keep_the_right_answer_right(source: DataSource, ask: Asking) -> None:
    plain = {sample.id: sample for sample in samples_of(VqaClosed(), source, "test", ask, None)}
    permuted = list(samples_of(VqaClosed(), control.asked("permute-choices", source, 0), "test", ask, None))
    assert [sample.id for sample in permuted] == list(plain)
    for sample in permuted:
        before, after = plain[sample.id].request, sample.request
        assert after.choices != before.choices
        assert list(after.choices) == list(before.choices)
        assert sorted(after.choices.values()) == sorted(before.choices.values())
        assert after.choices[sample.reference.choice] == sample.reference.text == plain[sample.id].reference.text
        assert after.question == before.question
        assert all(f"{letter}. {text}" in after.wording for letter, text in after.choices.items())


def test_permuted_choices_depend_on_seed_and_id_alone(source: DataSource) -> None:
    def letters(seed: int, split: str) -> dict[str, str]:
        permuted = control.asked("permute-choices", source, seed)
        return {record.id: record.letter for record in permuted.records(QuestionRecord, split)}

    assert letters(0, "test5k").items() <= letters(0, "test").items()
    assert letters(0, "test") != letters(1, "test")


def test_questions_without_choices_stay_as_they_are(source: DataSource, ask: Asking) -> None:
    permuted = control.asked("permute-choices", source, 0)
    assert [sample.request for sample in samples_of(VqaOpen(), permuted, "test", ask, None)] == [
        sample.request for sample in samples_of(VqaOpen(), source, "test", ask, None)
    ]


def test_an_unknown_control_and_one_without_effect_are_refused() -> None:
    with pytest.raises(UserError, match="no control 'blink'"):
        control.check("blink", "rec", "box")
    with pytest.raises(UserError, match="no choices"):
        control.check("permute-choices", "rec", "box")
