"""The layouts of M3D-Data as lists of files to look at: M3D-Cap, M3D-VQA, M3D-Seg, M3D-RefSeg."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from typing import Any

from m3dbench.data.check.jobs import MaskFile
from m3dbench.data.check.kinds import Finding
from m3dbench.data.check.published import published
from m3dbench.data.check.questions import check_choices, check_referring
from m3dbench.data.check.report import Size
from m3dbench.data.check.walk import Seen, Step, Walk
from m3dbench.data.readers import m3d_cap, m3d_refseg, m3d_vqa
from m3dbench.data.readers.paths import below_root
from m3dbench.data.tables import read_rows
from m3dbench.metrics.ranking import text_key

NO_IMAGE = "(none)"


def cap(walk: Walk) -> Iterator[Step]:
    """M3D-Cap: the split file, every series and every text."""
    file = m3d_cap.split_file(walk.root)
    found: list[Finding] = []
    for split, items in walk.json(file, found).items():
        if not isinstance(items, list):
            found.append(Finding("malformed_list", file, "expected a list of items", split))
            continue
        ids, texts = Seen(), Seen()
        for index, item in enumerate(items):
            record = f"{split}[{index}]"
            if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in ("image", "text")):
                yield Finding("malformed_record", file, "an item needs 'image' and 'text', both paths", record)
                continue
            image, text = (below_root(walk.root.path, item[key], m3d_cap.FOLDER) for key in ("image", "text"))
            if not ids.first(m3d_cap.series_id(image)):
                yield Finding("duplicate_id", file, image, record, "image")
            texts.first(text)
            if job := walk.job(f"{file} {record}", volume=image, text=text):
                yield job
        counts = {"items": len(items), "texts": len(texts)}
        yield Size(f"M3D-Cap {split}", counts, published("M3D-Cap", split) if walk.official else {})
    yield from found


def vqa(walk: Walk) -> Iterator[Step]:
    """M3D-VQA: every row of every table, and every volume."""
    for split, file in m3d_vqa.M3DVQA.tables(walk.root.path).items():
        types: Counter[str] = Counter()
        images, asked = Seen(), Seen()
        for row in walk.rows(file, partial(read_rows, walk.root.path / file, m3d_vqa.COLUMNS)):
            if isinstance(row, Finding):
                yield row
                continue
            place, fields = row
            yield from check_choices(file, place.record, fields)
            image = below_root(walk.root.path, fields["Image Path"], m3d_cap.FOLDER)
            code = fields["Question Type"].strip()
            types[f"type {code} ({m3d_vqa.QUESTION_TYPES.get(code, 'unknown')})"] += 1
            images.first(image)
            if not asked.first(image, text_key(fields["Question"])):
                yield Finding("question_repeated", file, fields["Question"], place.record, "Question")
            if image.strip() and (job := walk.job(f"{file} {place.record}", volume=image)):
                yield job
        counts = {"rows": types.total(), "images": len(images), **dict(sorted(types.items()))}
        yield Size(f"M3D-VQA {split}", counts, published("M3D-VQA", split) if walk.official else {})


def refseg(walk: Walk) -> Iterator[Step]:
    """M3D-RefSeg: every row of every table, every volume, and every object in its mask."""
    for split, file in m3d_refseg.M3DRefSeg.tables(walk.root.path).items():
        rows, images = 0, Seen()
        read = walk.rows(file, partial(read_rows, walk.root.path / file, m3d_refseg.COLUMNS))
        for (named, named_mask), group in groupby(read, _pair):
            if not named:
                yield from group
                continue
            labels: dict[int, None] = {}
            record = ""
            for place, fields in group:
                rows += 1
                record = record or f"{file} {place.record}"
                findings = list(check_referring(file, place.record, fields))
                yield from findings
                if not any(finding.field == "Mask_ID" for finding in findings):
                    labels[int(fields["Mask_ID"])] = None
            if named == NO_IMAGE:
                continue
            image, mask = (below_root(walk.root.path, path, m3d_refseg.PREPARED) for path in (named, named_mask))
            images.first(image)
            new = (mask, ",".join(map(str, labels)))
            masks = [MaskFile(walk.root.file(mask), record, tuple(labels))] if named_mask and labels else []
            walk.name(mask)
            if job := walk.job(record, volume=image, masks=masks if walk.files.first(*new) else []):
                yield job
        counts = {"rows": rows, "images": len(images)}
        yield Size(f"M3D-RefSeg {split}", counts, published("M3D-RefSeg", split) if walk.official else {})


def _pair(row: Any) -> tuple[str, str]:
    """Image and mask of a row; findings, and rows without an image, stand alone."""
    if isinstance(row, Finding):
        return "", ""
    return row[1]["Image"].strip() or NO_IMAGE, row[1]["Mask"].strip()
