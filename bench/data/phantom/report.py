"""The written report of a case, in the sections that M3D-Cap's raw texts have, and the text that preparation keeps."""

from __future__ import annotations

from .anatomy import turn_of
from .draws import Draws
from .facts import Facts
from .findings import Finding

_SEEN = (
    "There is a {size} mm {kind} in the {place}.",
    "A {kind} measuring {size} mm is seen in the {place}.",
    "The {place} shows a {kind} of {size} mm.",
)
_LOOK = {
    "liver cyst": "It has the density of water, is sharply bounded and does not take up contrast medium.",
    "liver metastasis": "It is darker than the liver around it and enhances little.",
    "hepatocellular carcinoma": "It is bright in the arterial phase and washes out later.",
    "renal cyst": "It is filled with fluid and has no solid part.",
    "renal tumour": "It is solid and enhances less than the renal cortex.",
    "kidney stone": "It is as dense as bone.",
    "splenic lesion": "It stays darker than the rest of the spleen.",
    "lung nodule": "It is solid and surrounded by aerated lung.",
    "gallstone": "It is calcified and lies in the dependent part.",
    "aortic calcification": "The vessel is otherwise patent.",
    "enlarged lymph node": "It is of soft tissue density.",
    "pancreatic mass": "It enhances less than the gland.",
}
_MEANING = {
    "liver cyst": "Simple cysts of the liver are common and harmless.",
    "liver metastasis": "A primary tumour elsewhere has to be looked for.",
    "hepatocellular carcinoma": "The pattern of enhancement is typical of hepatocellular carcinoma.",
    "renal cyst": "A simple renal cyst needs no follow-up.",
    "renal tumour": "A solid enhancing renal mass is a renal cell carcinoma until proven otherwise.",
    "kidney stone": "Stones of this size rarely pass on their own.",
    "splenic lesion": "The differential diagnosis includes lymphangioma, infarct and lymphoma.",
    "lung nodule": "A nodule of this size calls for tissue sampling or close follow-up.",
    "gallstone": "There is no sign of inflammation around the stone.",
    "aortic calcification": "Calcified plaques are a sign of atherosclerosis.",
    "enlarged lymph node": "Lymphoma and nodal spread of a tumour are both possible.",
    "pancreatic mass": "Ductal adenocarcinoma is the first consideration.",
}
_NORMAL = {
    "liver": (
        "The liver is {liver} mm long and of even density.",
        "Even attenuation of the liver, which spans {liver} mm.",
    ),
    "kidney": ("Both kidneys are of normal size without hydronephrosis.", "No hydronephrosis on either side."),
    "spleen": ("The spleen is not enlarged.", "Normal spleen."),
    "pancreas": ("The pancreas is unremarkable.", "No pancreatic duct dilatation."),
    "aorta": ("The aorta measures {aorta} mm.", "Aortic diameter of {aorta} mm, within normal limits."),
}


def _finding(finding: Finding, draws: Draws) -> str:
    sentence = draws.pick(_SEEN).format(size=finding.size_mm, kind=finding.kind, place=finding.place)
    # The article follows the sound of the word after it.
    sentence = sentence.replace(" a enlarged", " an enlarged").replace("A enlarged", "An enlarged")
    sentence = sentence.replace(" a aortic", " an aortic").replace("A aortic", "An aortic")
    return f"{sentence} {_LOOK[finding.kind]}"


def _normal(facts: Facts, draws: Draws) -> list[str]:
    touched = " ".join(finding.organ for finding in facts.findings)
    lines: list[str] = []
    for organ, wordings in _NORMAL.items():
        if organ == "kidney" and any("kidney" in name for name in facts.removed):
            continue
        if organ in facts.removed or organ in facts.flat or (organ in touched and organ not in ("liver", "aorta")):
            continue
        wording = wordings[1] if draws.chance(0.5) else wordings[0]
        if organ == "liver" and "liver" in touched:
            wording = "The liver is {liver} mm long."
        lines.append(wording.format(liver=facts.liver_mm, aorta=facts.aorta_mm))
    return lines


def findings_text(facts: Facts) -> str:
    """What the radiologist sees: abnormalities, then missing organs, then what is normal; one paragraph a line."""
    draws = Draws(facts.seed, facts.case, "report")
    lines = [_finding(finding, draws) for finding in facts.findings]
    lines += [f"The {organ} is absent after earlier surgery." for organ in facts.removed]
    if "spleen" in facts.flat:
        lines.append("Only a thin remnant of the spleen is left.")
    if "urinary bladder" in facts.flat:
        lines.append("The urinary bladder is almost empty.")
    normal = " ".join(_normal(facts, draws))
    lines.append(normal if facts.findings else f"No focal lesion is seen. {normal}")
    lines.append(f"The scan covers {facts.coverage}.")
    return "\n".join(lines)


def discussion_text(facts: Facts) -> str:
    """What the findings mean."""
    if not facts.findings:
        return "There is no abnormality that explains the symptoms."
    return " ".join(_MEANING[finding.kind] for finding in facts.findings)


def report_of(facts: Facts) -> str:
    """The raw ``text.txt`` of a case. One in six has an empty findings section, one in six no sections at all."""
    draws = Draws(facts.seed, facts.case, "patient")
    age, sex = 25 + draws.below(60), draws.pick(("woman", "man"))
    complaint = draws.pick(("abdominal pain", "weight loss", "follow-up", "fever", "an abnormal ultrasound", "fatigue"))
    title = f"title: CT of the trunk\npresentation: {age}-year-old {sex} with {complaint}.\n"
    findings, meaning = findings_text(facts), discussion_text(facts)
    match turn_of(facts.case) % 6:
        case 2:
            return f"{title}discussion:\n{findings} {meaning}\nstudy_findings:\n"
        case 5:
            return f"A {age}-year-old {sex} with {complaint}.\n{findings}\n{meaning}\n"
        case _:
            return f"{title}study_findings:\n{findings}\ndiscussion:\n{meaning}\n"
