"""Cases of the phantom: answers follow from facts, organs and findings lie where they should."""

from __future__ import annotations

import numpy as np
import pytest

from m3dbench.data import phantom

SEED = 3


def check_answer(question: phantom.Question, facts: phantom.Facts) -> None:
    """Follow the answer back to the facts."""
    asked, answer = question.question, question.answer.lower()
    kinds = {finding.kind: finding for finding in facts.findings}
    named = [finding for kind, finding in kinds.items() if kind in asked]
    match question.type:
        case 1:
            assert answer == facts.plane.lower()
        case 2:
            assert answer.replace("-", "_").replace(" ", "_") == facts.setting
        case 3 if "missing" in asked:
            assert answer == (facts.removed[0] if facts.removed else "none")
        case 3:
            assert answer in [finding.organ for finding in facts.findings]
            wrong = {choice.lower() for choice in question.choices} - {answer}
            assert not wrong & {finding.organ for finding in facts.findings}
        case 4 if asked.startswith("Which"):
            organ = asked.removeprefix("Which abnormality is present in the ").removesuffix("?")
            assert answer == next((finding.kind for finding in facts.findings if finding.organ == organ), "none")
        case 4 if asked.startswith("Is there"):
            assert answer == ("yes" if named else "no")
        case 4:
            assert answer == f"{named[0].size_mm} mm"
        case 5 if asked.startswith("Where"):
            assert answer == named[0].place
        case 5 if asked.startswith("On which side"):
            assert answer == named[0].side
        case 5 if asked.startswith("Which part"):
            assert answer == facts.coverage
        case _:
            assert answer == (named[0].side if named else "none")


def test_answers_follow_from_the_facts() -> None:
    letters: dict[str, int] = {}
    for index in range(200):
        facts = phantom.facts_of(f"any/{index}", seed=SEED)
        for question in phantom.questions_of(facts):
            check_answer(question, facts)
            if "NA" not in question.choices:
                letters[question.letter] = letters.get(question.letter, 0) + 1
    assert set(letters) == set("ABCD")
    assert max(letters.values()) < 1.25 * min(letters.values())


def test_organs_are_disjoint_and_where_they_belong() -> None:
    sizes: dict[str, list[int]] = {name: [] for name in phantom.ORGANS}
    for index in range(12):
        case = phantom.draw(f"body/{index}", seed=SEED, plane="Axial")
        masks = {name: case.organ(name) for name in phantom.ORGANS}
        assert np.sum(list(masks.values()), axis=0).max() == 1
        for name, mask in masks.items():
            if name in case.facts.removed:
                assert not mask.any()
            elif mask.any():
                sizes[name].append(int(mask.sum()))
        middle = {name: np.argwhere(mask).mean(axis=0) for name, mask in masks.items() if mask.any()}
        # W runs from the patient's right to left, D from head to feet.
        assert middle["liver"][2] < 32 < middle.get("spleen", middle["liver"] + 64)[2]
        if "left kidney" in middle and "right kidney" in middle:
            assert middle["right kidney"][2] < middle["left kidney"][2]
        assert middle["L1"][0] < middle["L2"][0]
        assert np.array_equal(case.mask("kidney"), masks["left kidney"] | masks["right kidney"])
        assert not case.mask("brain").any()
    for name in ("pancreas", "aorta", "left kidney", "right kidney"):
        assert np.median(sizes[name]) > 100


def test_findings_are_in_the_volume() -> None:
    seen: set[str] = set()
    for index in range(40):
        facts = phantom.facts_of(f"lesion/{index}", seed=SEED)
        plane = phantom.PLANES[index % 3]
        case = phantom.draw(f"lesion/{index}", seed=SEED, plane=plane)
        for number, finding in enumerate(facts.findings):
            mask = case.finding_mask(number)
            assert mask.any(), finding
            volume = mask.sum() * np.prod(case.spacing)
            voxel = float(np.prod(case.spacing))
            assert volume < 1.3 * np.pi / 6 * finding.size_mm**3 + 3 * voxel
            seen.add(finding.kind)
            if plane != "Sagittal" and finding.side != "midline":
                across = np.argwhere(mask)[:, 2].mean()
                assert (across > 32) == (finding.side == "left")
    assert len(seen) >= 9


def test_planes_show_the_same_body() -> None:
    cases = {
        plane: phantom.draw("same/7", seed=SEED, plane=plane, setting="arterial_phase") for plane in phantom.PLANES
    }
    volumes = {plane: case.mask("liver").sum() * np.prod(case.spacing) for plane, case in cases.items()}
    assert max(volumes.values()) < 1.1 * min(volumes.values())
    for case in cases.values():
        assert 250 < np.median(case.hu[case.organ("aorta")]) < 400
    plain = phantom.draw("same/7", seed=SEED, plane="Axial", setting="non_contrast")
    assert np.median(plain.hu[plain.organ("aorta")]) < 60


def test_full_size() -> None:
    case = phantom.draw("0003/Case_00001", seed=SEED, grid=phantom.FULL_GRID)
    assert case.hu.shape == case.labels.shape == (32, 256, 256)
    assert case.image.shape == (1, 32, 256, 256)
    assert case.facts == phantom.facts_of("0003/Case_00001", seed=SEED)
    with pytest.raises(ValueError, match="too small"):
        phantom.draw("0003/Case_00001", grid=(4, 64, 64))
    with pytest.raises(ValueError, match="unknown phase"):
        phantom.draw("0003/Case_00001", setting="brain_window")
