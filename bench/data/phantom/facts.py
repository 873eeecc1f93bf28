"""What is true of a case: its series, abnormalities and missing organs, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from .anatomy import Body, body_of, turn_of
from .density import PHASES, Phase
from .draws import Draws
from .findings import Finding, findings_of
from .raster import PLANES, Plane
from .resample import DISPLAY

SETTINGS: tuple[str, ...] = (*PHASES, *DISPLAY)

Series = tuple[Plane, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a case, whatever the grid.

    ``plane`` and ``setting`` (a phase or a window) are those of the series drawn, ``series`` all that the case has;
    ``removed``: organs taken out; ``flat``: organs that occupy one axial slice; ``coverage``: the part of the trunk in
    view; ``liver_mm`` and ``aorta_mm``: length of the liver, diameter of the aorta.
    """

    case: str
    seed: int
    plane: Plane
    setting: str
    series: tuple[Series, ...]
    findings: tuple[Finding, ...]
    removed: tuple[str, ...]
    flat: tuple[str, ...]
    coverage: str
    liver_mm: int
    aorta_mm: int

    @property
    def phase(self) -> Phase:
        """The contrast phase of the series; a lung or bone window shows a scan without contrast medium."""
        for phase in PHASES:
            if phase == self.setting:
                return phase
        return "non_contrast"


def _series(case_id: str, seed: int) -> tuple[Series, ...]:
    draws = Draws(seed, case_id, "series")
    count = (2, 1, 3, 1, 2)[turn_of(case_id) % 5]
    chosen: list[Series] = []
    while len(chosen) < count:
        # Phases come twice as often as windows; planes alike, or the plane could be guessed.
        one: Series = (draws.pick(PLANES), draws.pick((*PHASES, *SETTINGS)))
        if one not in chosen:
            chosen.append(one)
    return tuple(chosen)


def facts_of(
    case_id: str, *, seed: int = 0, plane: Plane | None = None, setting: str | None = None, body: Body | None = None
) -> Facts:
    """The facts of a case without drawing it; ``body`` spares making it again.

    Without ``plane`` and ``setting`` they are those of the case's first series. Raises ``ValueError`` for an unknown
    one.
    """
    body = body or body_of(case_id, seed)
    series = _series(case_id, seed)
    first_plane, first_setting = series[0]
    if plane is not None and plane not in PLANES:
        raise ValueError(f"unknown plane {plane!r}; one of {', '.join(PLANES)}")
    if setting is not None and setting not in SETTINGS:
        raise ValueError(f"unknown phase or window {setting!r}; one of {', '.join(SETTINGS)}")
    liver = body.organs["liver"]
    return Facts(
        case=case_id,
        seed=seed,
        plane=plane or first_plane,
        setting=setting or first_setting,
        series=series,
        findings=findings_of(body, case_id, seed),
        removed=body.removed,
        flat=body.flat,
        coverage=body.coverage,
        liver_mm=round(liver.radii[0] * 2),
        aorta_mm=round(body.aorta[2] * 2),
    )
