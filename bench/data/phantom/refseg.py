"""M3D-RefSeg of the phantom: findings to be segmented from a description or by reasoning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from m3dbench.data.geometry import FILE_NAME, to_json

from . import resample
from .case import Case, draw
from .draws import Draws
from .files import Files
from .findings import Finding
from .place import geometry_of
from .plan import Sizes, refseg_cases

COLUMNS = ("Image", "Mask", "Mask_ID", "Question_Type", "Question", "Answer")
ROOT, TABLES = "M3D_RefSeg_npy", "M3D_RefSeg"
Grid = tuple[int, int, int]
Row = tuple[str, str, str, str, str, str]

_DESCRIBED = (
    ("Please segment the {kind} in the {place}.", "Sure, it is {mark} in the {place}."),
    ("Where is the {size} mm {kind}? Mark it.", "The {kind} is {mark}, in the {place}."),
    ("Can you outline the abnormality in the {place}?", "It is a {kind}, outlined as {mark}."),
)
_REASONED = (
    (
        "Which area of this scan would a radiologist describe first, and why? Please segment it.",
        "That is {mark}: {why}",
    ),
    (
        "Is there anything that calls for a closer look? Mark it and explain.",
        "Yes, {mark}. It is a {kind} of {size} mm. {why}",
    ),
    ("{hint} Please mark what is meant.", "It is the {kind} in the {place}: {mark}."),
)
_WHY = {
    "liver cyst": "its density is that of water.",
    "liver metastasis": "it is darker than the liver around it.",
    "hepatocellular carcinoma": "it enhances early and washes out.",
    "renal cyst": "it is a bulge of the kidney without enhancement.",
    "renal tumour": "it is a solid mass in the kidney.",
    "kidney stone": "it is a bright spot in the collecting system.",
    "splenic lesion": "it is darker than the spleen around it.",
    "lung nodule": "it is solid where there should be air.",
    "gallstone": "it is dense and lies in bile.",
    "aortic calcification": "it is a bright spot on the vessel wall.",
    "enlarged lymph node": "it is soft tissue where there should be fat.",
    "pancreatic mass": "it enhances less than the gland.",
}
_HINTS = {
    "liver": "Something in the largest abdominal gland is not as it should be.",
    "spleen": "An organ of the immune system is not even.",
    "pancreas": "The organ that makes insulin is not even.",
    "gallbladder": "Something solid lies in the bile.",
    "aorta": "The largest artery shows its age.",
    "left kidney": "One of the organs that make urine has changed, on the left.",
    "right kidney": "One of the organs that make urine has changed, on the right.",
    "": "A gland of the lymphatic system has grown.",
}


def describe(finding: Finding) -> str:
    """One sentence on a finding, as the ``text.json`` of a case has it."""
    return f"{finding.kind.capitalize()} of {finding.size_mm} mm in the {finding.place}: {_WHY[finding.kind]}"


def referring_rows(name: str, case: Case, seed: int) -> list[Row]:
    """The rows of a case: each finding asked for by description and by reasoning."""
    draws = Draws(seed, f"RefSeg/{name}", "referring")
    rows: list[Row] = []
    for index, finding in enumerate(case.facts.findings):
        words = {
            "kind": finding.kind,
            "place": finding.place,
            "size": str(finding.size_mm),
            "why": _WHY[finding.kind],
            "hint": _HINTS.get(finding.organ, "Part of an organ of breathing is not aerated."),
        }
        # With several findings only a question that names its own can be answered.
        reasoned = _REASONED if len(case.facts.findings) == 1 else _REASONED[2:]
        for code, templates in (("0", _DESCRIBED), ("1", reasoned)):
            for question, answer in templates:
                mark = draws.pick(("[SEG]", "[SEG]", "<SEG>"))
                paths = (f"{ROOT}/{name}/ct.npy", f"{ROOT}/{name}/mask.npy")
                rows.append((*paths, str(index + 1), code, question.format(**words), answer.format(mark=mark, **words)))
    return rows


def write_refseg(files: Files, sizes: Sizes, seed: int, grid: Grid, step: Callable[[], None]) -> None:
    """Write ``M3D_RefSeg_npy`` and the tables in ``M3D_RefSeg``.

    ``ct.npy`` and ``mask.npy`` are float32 (1, D, H, W); their in-plane axes are transposed relative to M3D-Seg: H runs
    from the patient's right to left, W from front to back. The mask holds 0 and, for finding i, i + 1; the target of a
    row is ``mask == Mask_ID``.
    """
    tables: dict[str, list[Row]] = {"train": [], "test": []}
    for name, split in refseg_cases(sizes, seed):
        case = draw(f"RefSeg/{name}", seed=seed, grid=grid, plane="Axial")
        values = resample.percentile_clip(case.hu.transpose(0, 2, 1))
        ids = np.zeros(grid, dtype=np.float32)
        for index in range(len(case.facts.findings)):
            ids[case.finding_mask(index)] = index + 1
        box = resample.foreground(values)
        files.array(f"{ROOT}/{name}/ct.npy", resample.fit(values, grid))
        files.array(f"{ROOT}/{name}/mask.npy", resample.nearest(ids.transpose(0, 2, 1)[box], grid)[None])
        geometry = geometry_of(case, box, resample.whole_window(case.hu), order=(0, 2, 1))
        files.json(f"{ROOT}/{name}/{FILE_NAME}", to_json(geometry))
        files.json(f"{ROOT}/{name}/text.json", {str(i + 1): describe(f) for i, f in enumerate(case.facts.findings)})
        tables[split] += referring_rows(name, case, seed)
        step()
    for table, rows in (*tables.items(), ("all", tables["train"] + tables["test"])):
        files.table(f"{TABLES}/M3D_RefSeg_{table}.csv", COLUMNS, rows)
