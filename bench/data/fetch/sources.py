"""What can be fetched: the data set repositories of M3D-Data, with their terms in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from m3dbench.errors import UserError

RADIOPAEDIA = (
    "Made from cases of Radiopaedia, whose terms allow non-commercial use only. Research and evaluation are fine; "
    "do not pass the data on, do not use them in a product, and keep the attribution to Radiopaedia and M3D."
)


@dataclass(frozen=True)
class Source:
    """A data set repository. folder: below the data directory, where our readers and ``data prepare`` look.
    terms: what binds whoever uses the data, as far as we know it. after: what comes next, for ``{directory}``."""

    name: str
    repo: str
    folder: str
    holds: str
    terms: str
    after: tuple[str, ...]
    disabled: str = ""


_VQA = "m3dbench score ANSWERS --task vqa_closed --data {directory}   (texts only: no volumes needed)"

SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Source(
            "M3D-VQA",
            "GoodBaiBai88/M3D-VQA",
            "M3D-VQA",
            "questions and answers as tables; their volumes are those of M3D-Cap",
            RADIOPAEDIA,
            (_VQA, "m3dbench data check {directory}"),
        ),
        Source(
            "M3D-Seg",
            "GoodBaiBai88/M3D-Seg",
            "M3D_Seg",
            "volumes and masks of 25 public data sets, an archive a code",
            "A collection of 25 public data sets. Each stays under the licence of its own authors, some of them "
            "non-commercial or bound to a registration: read those of the codes that you use, and cite them.",
            ("m3dbench data prepare seg {directory}/M3D_Seg PREPARED",),
        ),
        Source(
            "M3D-RefSeg",
            "GoodBaiBai88/M3D-RefSeg",
            "M3D_RefSeg",
            "volumes, masks and referring questions",
            "Volumes and masks come from public data sets whose licences go on holding, the questions from M3D: "
            "read the terms below, and use the data for research and evaluation.",
            ("m3dbench data prepare refseg {directory}/M3D_RefSeg PREPARED",),
        ),
        Source(
            "M3D-Cap",
            "GoodBaiBai88/M3D-Cap",
            "M3D_Cap",
            "volumes and reports",
            RADIOPAEDIA,
            ("m3dbench data prepare cap {directory}/M3D_Cap PREPARED",),
            disabled="stored answers are scored without volumes (`m3dbench score ANSWERS --task report_generation`); "
            "a copy of your own is prepared with `m3dbench data prepare cap SRC DST`; M3D-VQA, M3D-Seg and M3D-RefSeg "
            "can be fetched; `m3dbench data convert --list` shows open data",
        ),
    )
}


def find_source(name: str) -> Source:
    """A source by its name, compared without case, ``_`` and ``-``. Raises UserError when there is none."""

    def plain(text: str) -> str:
        return text.lower().replace("_", "").replace("-", "")

    found = next((source for key, source in SOURCES.items() if plain(key) == plain(name)), None)
    if found is None:
        raise UserError(f"there is nothing to fetch by the name {name!r}", fix=f"choose one of: {', '.join(SOURCES)}")
    return found
