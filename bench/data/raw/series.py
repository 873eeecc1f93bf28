"""The DICOM series in a folder: which slices belong together, and which series is meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3dbench.errors import DataError, missing_extra

_TAGS = [
    "AcquisitionNumber",
    "BitsStored",
    "Columns",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "InstanceNumber",
    "Modality",
    "NumberOfFrames",
    "PixelRepresentation",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "Rows",
    "SamplesPerPixel",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "TemporalPositionIdentifier",
]
_SUFFIXES = (".dcm", ".dicom", ".ima")
Vector = tuple[float, ...]


@dataclass(frozen=True)
class Slice:
    """The header of one file. position, orientation: ImagePositionPatient and ImageOrientationPatient (LPS, mm), empty
    where it has none; spacing: mm between (rows, columns); phase: what tells two pictures of one place apart."""

    path: Path
    uid: str
    number: str
    description: str
    rows: int
    columns: int
    spacing: Vector
    orientation: Vector
    position: Vector
    scout: bool
    phase: tuple[str, ...]
    slope: float = 1.0
    intercept: float = 0.0
    rescaled: bool = False
    bits: int = 16
    signed: bool = False


@dataclass(frozen=True)
class Series:
    """Slices of one shape, spacing and direction that say they belong together."""

    slices: tuple[Slice, ...]

    @property
    def title(self) -> str:
        one = self.slices[0]
        named = f"{one.description!r}" if one.description else "without a description"
        number = f"series {one.number}, " if one.number else ""
        uid = f", {one.uid}" if one.uid else ""
        size = f"{len(self.slices)} slices of {one.columns} x {one.rows}"
        return f"{named} ({number}{size}, {_plane(one.orientation)}{_phase(one)}{uid})"


def find_series(folder: Path) -> tuple[list[Series], list[str]]:
    """The series in a folder and its subfolders, most slices first, and notes on what was left out: scouts, and files
    that are DICOM but no pictures. Files that are no DICOM are passed over unless their name says that they are.

    Raises DataError when there is no picture, and for files that cannot be read, in colour or with several frames.
    """
    groups: dict[tuple[Any, ...], list[Slice]] = defaultdict(list)
    scouts = others = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        header = _header(path)
        if header is None:
            continue
        one = _slice(path, header)
        if one is None:
            others += 1
        elif one.scout:
            scouts += 1
        else:
            spacing = tuple(round(size, 3) for size in one.spacing)
            direction = tuple(round(value, 2) + 0.0 for value in one.orientation)
            key = (one.uid, one.number, one.description, one.rows, one.columns, spacing, direction)
            groups[key].append(one)
    if not groups:
        told = "only scouts" if scouts else "no DICOM picture"
        raise DataError(f"the folder holds {told}", file=folder, fix="give the folder with the slices of one series")
    notes = [f"{scouts} scout{'s' * (scouts > 1)} left out"] * bool(scouts)
    notes += [f"{others} DICOM file{'s' * (others > 1)} without a picture left out"] * bool(others)
    found = [part for group in groups.values() for part in _phases(group)]
    return sorted(found, key=lambda series: (-len(series.slices), series.title)), notes


def choose(folder: Path, found: Sequence[Series], wanted: str | None) -> Series:
    """The series meant: the only one, or that of this number in the list, UID or description.

    Raises DataError with the list when that is none or several.
    """
    if wanted is None:
        fits = list(found)
    elif wanted.isdecimal() and 0 < int(wanted) <= len(found):
        fits = [found[int(wanted) - 1]]
    else:
        fits = [one for one in found if wanted in (one.slices[0].uid, one.slices[0].description)]
    if len(fits) == 1:
        return fits[0]
    listed = "; ".join(f"{number}: {series.title}" for number, series in enumerate(found[:20], start=1))
    told = f"holds {len(found)} series" if wanted is None else f"has {len(fits)} series that match {wanted!r}"
    raise DataError(
        f"the folder {told}: {listed}",
        file=folder,
        field="series",
        fix="give each series a folder of its own, or name one by number, UID or description (--series)",
    )


def _header(path: Path) -> Any | None:
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise missing_extra("Reading DICOM files", "data") from error
    named = path.suffix.lower() in _SUFFIXES
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS), force=named)
    except InvalidDicomError:
        return None
    except (EOFError, OSError, ValueError, KeyError, AttributeError, NotImplementedError) as error:
        raise DataError(
            f"cannot be read as DICOM: {error}", file=path, fix="the file is damaged: copy it again"
        ) from error


def _slice(path: Path, header: Any) -> Slice | None:
    """None for what is no picture: a report, a structure set, a directory."""
    if "Rows" not in header or "Columns" not in header:
        if len(header) == 0:
            raise DataError("is no DICOM file", file=path, fix="remove it, or copy it again")
        return None
    if int(header.get("SamplesPerPixel", 1) or 1) != 1:
        raise DataError("is a colour picture, not a CT slice", file=path, fix="remove it from the series' folder")
    if int(header.get("NumberOfFrames", 1) or 1) != 1:
        raise DataError(
            "holds several frames (enhanced DICOM)", file=path, fix="convert the series to NIfTI with dcm2niix first"
        )
    kind = [str(part).upper() for part in header.get("ImageType", None) or ()]
    slope, intercept = header.get("RescaleSlope", None), header.get("RescaleIntercept", None)
    phase = (header.get(name, None) for name in ("AcquisitionNumber", "TemporalPositionIdentifier"))
    try:
        return Slice(
            path=path,
            uid=str(header.get("SeriesInstanceUID", None) or ""),
            number=str(header.get("SeriesNumber", None) or ""),
            description=str(header.get("SeriesDescription", None) or ""),
            rows=int(header.Rows),
            columns=int(header.Columns),
            spacing=_numbers(header.get("PixelSpacing", None)),
            orientation=_numbers(header.get("ImageOrientationPatient", None)),
            position=_numbers(header.get("ImagePositionPatient", None)),
            scout="LOCALIZER" in kind,
            phase=tuple("" if value is None else str(value) for value in phase),
            slope=float(1 if slope is None else slope),
            intercept=float(0 if intercept is None else intercept),
            rescaled=intercept is not None,
            bits=int(header.get("BitsStored", None) or 16),
            signed=bool(header.get("PixelRepresentation", None)),
        )
    except (TypeError, ValueError) as error:
        raise DataError(f"the header cannot be read: {error}", file=path, fix="export the slice again") from error


def _numbers(values: Iterable[Any] | None) -> Vector:
    return tuple(float(value) for value in values) if values else ()


def _phases(group: list[Slice]) -> list[Series]:
    """One series, or one a phase where the same places were taken several times (arterial, venous) and the header
    tells them apart."""
    positions = {one.position for one in group}
    phases: dict[tuple[str, ...], list[Slice]] = defaultdict(list)
    for one in group:
        phases[one.phase].append(one)
    apart = all(len({one.position for one in part}) == len(part) for part in phases.values())
    if len(positions) == len(group) or len(phases) == 1 or not apart:
        return [Series(tuple(group))]
    return [Series(tuple(part)) for part in phases.values()]


def _phase(one: Slice) -> str:
    return f", acquisition {one.phase[0]}" if one.phase[0] else ""


def _plane(orientation: Vector) -> str:
    if len(orientation) != 6:
        return "no orientation"
    a, b, c, d, e, f = orientation
    normal = [abs(b * f - c * e), abs(c * d - a * f), abs(a * e - b * d)]
    return ("sagittal", "coronal", "axial")[normal.index(max(normal))]
