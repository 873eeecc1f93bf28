"""A checkout in the shape of the reference's, with sentences of our own."""

from __future__ import annotations

from pathlib import Path

TEMPLATES = """
Caption_templates = [
    "Tell us about this scan, number one.",
    "Tell us about this scan, number two.",
    "Tell us about this scan, number three.",
    "Tell us about this scan, number two.",
]

PosREC_templates = {
"cls_questions": ["Box of {}?", "Draw round {}."],
"des_questions": ["Box of this: {}", "{} - box?", "One: {}" "Two: {}"],
"cls_answers": ["At {}.",],
"des_answers": ["A {} at {}."],
"cls_no_answers": ["There is no {} at all."],
"des_no_answers": ["{}, but not in here."],
}

PosREG_templates = {
"cls_questions": ["What sits in {} ?"],
"des_questions": ["Describe what sits in {}."],
"cls_answers": ["It is the {}."],
"des_answers": ["It is {}. Known: {}", "Left {} {}" "right {} {}"],
"cls_no_answers": ["No {}."],
"des_no_answers": ["A {}, not here."],
}

Seg_templates = {
"cls_questions": ["Paint {}.", "Colour {} in."],
"des_questions": ["Paint this: {}"],
"cls_answers": ["[SEG]!"],
"des_answers": ["{}: [SEG]"],
"cls_no_answers": ["No {}"],
"des_no_answers": ["{} is missing"],
}
"""
CLASSES = ("liver", "kidney", "spleen", "pancreas", "bladder", "lungs", "kidneys", "bone", "brain")


def make_checkout(path: Path, templates: str = TEMPLATES, place: str = "Bench/dataset") -> Path:
    """Write a checkout and return its root."""
    folder = path / place
    folder.mkdir(parents=True)
    terms = {name: [f"first words on {name[:2]}..", f"second words on {name[:2]}.."] for name in CLASSES}
    (folder / "prompt_templates.py").write_text(templates, encoding="utf-8")
    (folder / "term_dictionary.py").write_text(f"term_dict = {terms!r}\n", encoding="utf-8")
    return path
