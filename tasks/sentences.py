"""The sentences of REC and REG: our own, in slots named after where the reference keeps such sentences.

Keys are how the object is asked for (name or definition of a class; question: whatever a data set asks itself) and,
where it matters, whether the object is in the volume.
"""

from __future__ import annotations

from m3dbench.wording import Slot

REC_QUESTIONS = {
    "name": Slot(
        "PosREC_templates.cls_questions",
        1,
        (
            "Give the bounding box of the {}.",
            "Where is the {}? Answer with a bounding box.",
            "Locate the {} with a box.",
        ),
    ),
    "definition": Slot(
        "PosREC_templates.des_questions",
        1,
        ("{} Give the bounding box of what this describes.", "{} Where is it? Answer with a bounding box."),
    ),
    "question": Slot(
        "a question of the data set, for a box",
        1,
        ("{} Answer with a bounding box.", "{} Give the bounding box of what is asked for."),
    ),
}

# Our reference answer to REC is the box alone; the reference's is a sentence around it.
REC_ANSWERS = {
    ("name", True): Slot("PosREC_templates.cls_answers", 1, ("",)),
    ("definition", True): Slot("PosREC_templates.des_answers", 2, ("",)),
    ("name", False): Slot("PosREC_templates.cls_no_answers", 1, ("",)),
    ("definition", False): Slot("PosREC_templates.des_no_answers", 1, ("",)),
}

_ABSENT = ("Is there a {} in this scan?", "Can a {} be seen here?")
_NOT_THERE = ("No {} is visible in this scan.",)

# The reference asks for an absent class as REC does (Q-PROMPT-4).
REG_QUESTIONS = {
    ("name", True): Slot(
        "PosREG_templates.cls_questions", 1, ("Which structure lies in the box {}?", "Name the structure inside {}.")
    ),
    ("definition", True): Slot(
        "PosREG_templates.des_questions",
        1,
        ("Name and describe the structure inside {}.", "What lies in the box {}? Name it and describe it."),
    ),
    ("name", False): Slot("PosREC_templates.cls_questions", 1, _ABSENT),
    ("definition", False): Slot("PosREC_templates.des_questions", 1, _ABSENT),
    ("question", True): Slot(
        "a box, where the data set names no class",
        1,
        ("Describe what lies in the box {}.", "What is there to see inside {}?"),
    ),
    ("question", False): Slot("a data set's question, as it is", 1, ("{}",)),
}

REG_ANSWERS = {
    ("name", True): Slot("PosREG_templates.cls_answers", 1, ("This is the {}.",)),
    ("definition", True): Slot("PosREG_templates.des_answers", 2, ("This is the {}. {}",)),
    ("name", False): Slot("PosREG_templates.cls_no_answers", 1, _NOT_THERE),
    ("definition", False): Slot("PosREG_templates.des_no_answers", 1, _NOT_THERE),
}
