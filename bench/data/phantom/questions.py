"""Multiple-choice questions on one series of a case, of M3D-VQA's five types; every answer follows from the facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .anatomy import COVERAGES
from .draws import Draws
from .facts import SETTINGS, Facts
from .findings import KINDS, Finding, is_sided

LETTERS = "ABCD"
NOT_OFFERED = "NA"
NONE = "None"

_PLANES = ("Axial", "Coronal", "Sagittal", "Oblique")
_SETTING_NAMES = {
    "non_contrast": "Non-contrast",
    "arterial_phase": "Arterial phase",
    "portal_venous_phase": "Portal venous phase",
    "delayed_phase": "Delayed phase",
    "lung_window": "Lung window",
    "bone_window": "Bone window",
}
_KIND_ORGANS = {
    "liver": ("liver cyst", "liver metastasis", "hepatocellular carcinoma"),
    "left kidney": ("renal cyst", "renal tumour", "kidney stone"),
    "right kidney": ("renal cyst", "renal tumour", "kidney stone"),
    "spleen": ("splenic lesion", "splenic haematoma", "splenic calcification"),
    "pancreas": ("pancreatic mass", "pancreatic pseudocyst", "pancreatic calcification"),
    "gallbladder": ("gallstone", "gallbladder polyp", "gallbladder cancer"),
    "aorta": ("aortic calcification", "aortic aneurysm", "aortic dissection"),
}
_PLACES = {
    "liver": (
        "upper part of the right lobe of the liver",
        "lower part of the right lobe of the liver",
        "left lobe of the liver",
        "caudate lobe of the liver",
    ),
    "renal": (
        "upper pole of the left kidney",
        "lower pole of the left kidney",
        "middle third of the left kidney",
        "upper pole of the right kidney",
        "lower pole of the right kidney",
        "middle third of the right kidney",
    ),
    "lung": ("left lower lobe", "right lower lobe", "left upper lobe", "right middle lobe"),
    "splenic": ("upper half of the spleen", "lower half of the spleen", "splenic hilum", "an accessory spleen"),
    "pancreatic": ("head of the pancreas", "tail of the pancreas", "body of the pancreas", "uncinate process"),
    "enlarged": ("left para-aortic space", "right paracaval space", "splenic hilum", "left groin"),
}
_PLACES["hepatocellular"] = _PLACES["liver"]


@dataclass(frozen=True, slots=True)
class Question:
    """One row of M3D-VQA.

    ``type`` is 1 to 5; ``choices`` are four texts, ``NA`` where none is offered; ``answer`` equals the choice under
    ``letter``.
    """

    type: int
    question: str
    choices: tuple[str, str, str, str]
    answer: str
    letter: str


def _ask(draws: Draws, kind: int, question: str, answer: str, others: Sequence[str]) -> Question:
    """Four choices at most, in random order; ``others`` are wrong."""
    texts = draws.shuffled([answer, *others[:3]])
    texts += [NOT_OFFERED] * (4 - len(texts))
    return Question(kind, question, (texts[0], texts[1], texts[2], texts[3]), answer, LETTERS[texts.index(answer)])


def _yes_no(draws: Draws, kind: int, question: str, answer: bool) -> Question:
    right, wrong = ("Yes", "No") if answer else ("No", "Yes")
    return _ask(draws, kind, question, right, [wrong])


def _plane(facts: Facts, draws: Draws) -> Question:
    wording = draws.pick(("In which plane are the slices of this scan?", "What is the imaging plane of this CT?"))
    return _ask(draws, 1, wording, facts.plane, [plane for plane in _PLANES if plane != facts.plane])


def _setting(facts: Facts, draws: Draws) -> Question:
    others = draws.shuffled([_SETTING_NAMES[name] for name in SETTINGS if name != facts.setting])
    wording = draws.pick(("Which contrast phase or window is shown?", "What is the phase or window of this CT?"))
    return _ask(draws, 2, wording, _SETTING_NAMES[facts.setting], others)


def _organ(facts: Facts, draws: Draws) -> Question:
    affected = [finding.organ for finding in facts.findings if finding.organ in _KIND_ORGANS]
    if affected and draws.chance(0.6):
        others = draws.shuffled(
            [organ for organ in _KIND_ORGANS if organ not in affected and organ not in facts.removed]
        )
        return _ask(
            draws,
            3,
            "Which of these organs shows a focal abnormality?",
            draws.pick(affected).capitalize(),
            [o.capitalize() for o in others],
        )
    removable = draws.shuffled(["Spleen", "Left kidney", "Right kidney", "Gallbladder"])
    gone = facts.removed[0].capitalize() if facts.removed else NONE
    others = [name for name in removable if name != gone][: 2 if facts.removed else 3]
    return _ask(draws, 3, "Which of these organs is missing?", gone, [*others, NONE] if facts.removed else others)


def _what(finding: Finding | None, organ: str, draws: Draws) -> Question:
    answer = finding.kind.capitalize() if finding else NONE
    others = draws.shuffled(
        [kind.capitalize() for kind in _KIND_ORGANS[organ] if finding is None or kind != finding.kind]
    )
    return _ask(
        draws, 4, f"Which abnormality is present in the {organ}?", answer, [*others[:2], NONE] if finding else others
    )


def presence(facts: Facts, draws: Draws) -> Question:
    """A yes-no question on an abnormality; yes and no are equally likely where the case has one."""
    present = [finding.kind for finding in facts.findings]
    if present and draws.chance(0.62):
        kind, answer = draws.pick(present), True
    else:
        kind, answer = draws.pick([kind for kind in KINDS if kind not in present]), False
    article = "an" if kind[0] in "aeiou" else "a"
    return _yes_no(draws, 4, f"Is there {article} {kind} in this scan?", answer)


def _size(finding: Finding, draws: Draws) -> Question:
    factors = draws.shuffled((0.4, 1.7, 2.5, 3.4))
    others = [f"{round(finding.size_mm * factor)} mm" for factor in factors[:3]]
    return _ask(draws, 4, f"About how large is the {finding.kind}?", f"{finding.size_mm} mm", others)


def _abnormalities(facts: Facts, draws: Draws) -> list[Question]:
    with_name = [finding for finding in facts.findings if finding.organ in _KIND_ORGANS]
    affected = [finding.organ for finding in facts.findings]
    free = [organ for organ in _KIND_ORGANS if organ not in affected and organ not in facts.removed]
    finding = draws.pick(with_name) if with_name and draws.chance(0.9) else None
    questions = [_what(finding, finding.organ if finding else draws.pick(free), draws), presence(facts, draws)]
    if facts.findings:
        questions.append(_size(draws.pick(facts.findings), draws))
    return questions


def _positions(facts: Facts, draws: Draws) -> list[Question]:
    questions: list[Question] = []
    for finding in facts.findings:
        places = _PLACES.get(finding.kind.split()[0])
        if places and finding.place in places:
            others = draws.shuffled([place for place in places if place != finding.place])
            questions.append(
                _ask(
                    draws,
                    5,
                    f"Where is the {finding.kind}?",
                    finding.place.capitalize(),
                    [o.capitalize() for o in others],
                )
            )
        if is_sided(finding.kind):
            right, wrong = ("Left", "Right") if finding.side == "left" else ("Right", "Left")
            questions.append(_ask(draws, 5, f"On which side of the patient is the {finding.kind}?", right, [wrong]))
    if not questions and draws.chance(0.3):
        return [
            _ask(
                draws,
                5,
                "Which part of the trunk does the scan cover?",
                facts.coverage,
                [part for part in COVERAGES if part != facts.coverage],
            )
        ]
    sides = {
        kind: [f.side.capitalize() for f in facts.findings if f.kind == kind] for kind in ("renal cyst", "renal tumour")
    }
    affected = [kind for kind, seen in sides.items() if seen]
    # Asked of everybody, the answer would nearly always be "None".
    if questions and not affected and draws.chance(0.8):
        return questions[:3]
    kind = draws.pick(affected or tuple(sides))
    answer = sides[kind][0] if len(sides[kind]) == 1 else "Both" if sides[kind] else NONE
    others = [side for side in ("Left", "Right", "Both", NONE) if side != answer]
    questions.append(_ask(draws, 5, f"Which kidney shows a {kind}?", answer, others))
    return questions[:3]


def questions_of(facts: Facts) -> tuple[Question, ...]:
    """The questions on the series that ``facts`` names: one each of types 1 to 3, up to three of 4 and of 5."""
    draws = Draws(facts.seed, facts.case, "questions", facts.plane, facts.setting)
    return (
        _plane(facts, draws),
        _setting(facts, draws),
        _organ(facts, draws),
        *_abnormalities(facts, draws),
        *_positions(facts, draws),
    )
