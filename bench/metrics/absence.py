"""Does an answer state that what was asked for is not there? Phrase rules for English."""

from __future__ import annotations

import re
import unicodedata

SEEN = (
    r"(?:present|visible|visuali[sz]ed|seen|found|observed|identified|identifiable|detected|detectable|located|noted|shown"
    r"|depicted|displayed|included|contained|captured|discernible|available|evident|apparent|recogni[sz]able|there|existent"
    r"|part of (?:the|this)|in (?:the|this) (?:image|scan|volume|picture|ct))"
)
SEE = r"(?:see|find|identify|locate|detect|observe|discern|spot|make out|recogni[sz]e|visuali[sz]e|point out)"
# Not seeing the image itself says nothing of what is in it.
OF_THE_TARGET = r"(?! (?:the|this|any|an|your)? ?(?:image|scan|volume|picture|file|box)\b)"
SHOW = r"(?:contain|include|show|depict|display|have|exist|appear|reveal|feature|seem)"
NOT = r"(?:\bnot|n't|\bnever|\bcannot)"
FILLER = r"(?:\w+ ){0,3}?"

RULES = tuple(
    re.compile(pattern)
    for pattern in (
        # The whole answer, or its first word before a comma or dash: "No." "None" "No, it is not."
        r"^(?:sorry,? )?(?:no|none|nothing|absent|nope|negative|not applicable)\s*(?:$|[.,;:!-])",
        # "there is no liver", "there are not any", "there isn't"
        r"\bthere (?:is|are|was|were|appears to be|seems to be) (?:no|not|none|nothing)\b(?! doubt| question)",
        r"\bthere (?:is|are|was|were)n't\b",
        # "not visible", "isn't clearly seen", "cannot be found", "can't be located"
        rf"{NOT} {FILLER}{SEEN}\b",
        # "cannot find", "did not see", "unable to locate", "failed to detect"
        rf"{NOT} {FILLER}{SEE}\b{OF_THE_TARGET}",
        rf"\b(?:unable|fail(?:s|ed)?|impossible|not possible) to {FILLER}{SEE}\b{OF_THE_TARGET}",
        # "does not contain", "doesn't show", "does not exist"
        rf"\b(?:does|do|did) ?{NOT} {FILLER}{SHOW}\b",
        # "no liver is visible", "no such organ found", "no evidence of"
        rf"\bno (?!doubt|question)(?:\w+ ){{1,6}}?(?:(?:is|are|was|were|can be|could be|has been|have been) )?{SEEN}\b",
        r"\bno (?:evidence|sign|signs|trace|indication|visible|such)\b",
        # "is absent", "absence of", "is missing", "lacks a", "devoid of", "nonexistent"
        r"\b(?:absent|absence|missing|lacks|lacking|devoid|nonexistent|non-existent)\b",
    )
)
# Two negatives that state presence; taken out before the rules are tried.
DOUBLE = re.compile(r"\b(?:not|n't) (?:\w+ )?(?:absent|missing|lacking)\b|\bno (?:doubt|question)\b")


def states_absence(text: str) -> bool:
    """True when a phrase of the answer denies presence.

    "No.", "there is no ...", "... is not visible", "cannot find ...", "does not contain ...", "no ... can be seen",
    "absent", "missing".

    The rules look at phrases alone, not at what they speak of: an answer that names a place and denies a second finding
    ("no lesion is seen") counts as a statement of absence. An empty answer states nothing.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").strip()
    plain = re.sub(r"\bcan't\b", "cannot", re.sub(r"\s+", " ", plain))
    plain = DOUBLE.sub("", plain)
    return any(rule.search(plain) for rule in RULES)
