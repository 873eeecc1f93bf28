"""The forms of a verdict: a JSON schema and an example for the judge, and the check of what it replied."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from m3dbench.metrics.judge import ERRORS, Kind, Scale

MATCHES = ("full", "partial", "none")
VERDICTS = ("correct", "partial", "wrong")
MAX_ITEMS = 300
MAX_TEXT = 2_000
_TEXT: dict[str, Any] = {"type": "string"}


class VerdictError(ValueError):
    """A JSON value that is no verdict. ``kind``: ``unparsable`` or ``out of range``."""

    def __init__(self, message: str, kind: str = "unparsable") -> None:
        super().__init__(message)
        self.kind = kind


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


_ASPECTS = _list(_object(aspect=_TEXT, match={"type": "string", "enum": list(MATCHES)}))


def schema_of(kind: Kind, scale: Scale) -> dict[str, Any]:
    """JSON schema of a verdict."""
    if kind == "aspects_recall":
        return _object(reference_aspects=_ASPECTS)
    if kind == "aspects_f1":
        return _object(reference_aspects=_ASPECTS, candidate_aspects=_ASPECTS)
    if kind == "findings":
        category = {"type": "string", "enum": list(ERRORS)}
        error = _object(finding=_TEXT, category=category, significant={"type": "boolean"})
        return _object(matched=_list(_TEXT), errors=_list(error))
    if kind == "match":
        return _object(verdict={"type": "string", "enum": list(VERDICTS)})
    return _object(score={"type": "number", "minimum": scale.minimum, "maximum": scale.maximum})


def example_of(kind: Kind, scale: Scale) -> str:
    """The form in words, for judges whose endpoint takes no schema."""
    aspects = [{"aspect": "...", "match": "|".join(MATCHES)}]
    error = {"finding": "...", "category": "|".join(ERRORS), "significant": "true|false"}
    forms: dict[Kind, Any] = {
        "aspects_recall": {"reference_aspects": aspects},
        "aspects_f1": {"reference_aspects": aspects, "candidate_aspects": aspects},
        "findings": {"matched": ["..."], "errors": [error]},
        "match": {"verdict": "|".join(VERDICTS)},
        "score": {"score": f"a number from {scale.minimum:g} to {scale.maximum:g}"},
    }
    return json.dumps(forms[kind])


def check(kind: Kind, value: Any, scale: Scale) -> dict[str, Any]:
    """The verdict in its one form, further fields left out. Raises VerdictError saying what is wrong."""
    if not isinstance(value, dict):
        raise VerdictError("the reply is no JSON object")
    if kind in ("aspects_recall", "aspects_f1"):
        verdict = {"reference_aspects": _aspects(value, "reference_aspects")}
        if not verdict["reference_aspects"]:
            raise VerdictError("the list of the reference's aspects is empty", "out of range")
        if kind == "aspects_f1":
            verdict["candidate_aspects"] = _aspects(value, "candidate_aspects")
        return verdict
    if kind == "findings":
        matched = [_text(item, "matched") for item in _items(value, "matched")]
        errors = [
            {
                "finding": _text(item.get("finding", ""), "finding"),
                "category": _label(item, "category", ERRORS),
                "significant": _flag(item, "significant"),
            }
            for item in _items(value, "errors", dict)
        ]
        if not matched and not errors:
            raise VerdictError("neither a matched finding nor an error is listed", "out of range")
        return {"matched": matched, "errors": errors}
    if kind == "match":
        return {"verdict": _label(value, "verdict", VERDICTS)}
    return {"score": in_range(value.get("score"), scale)}


def in_range(score: Any, scale: Scale) -> float:
    """A score as a number within its range. Raises VerdictError."""
    if isinstance(score, str):
        try:
            score = float(score.strip())
        except ValueError as error:
            raise VerdictError("the score is no number") from error
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise VerdictError("there is no score")
    # A comparison before any conversion: JSON integers may be too long for a float.
    if not scale.minimum <= score <= scale.maximum or not math.isfinite(score):
        told = f"outside {scale.minimum:g} to {scale.maximum:g}"
        raise VerdictError(f"the score lies {told}", "out of range")
    return float(score)


def _aspects(value: Mapping[str, Any], field: str) -> list[dict[str, str]]:
    return [
        {"aspect": _text(item.get("aspect", ""), "aspect"), "match": _label(item, "match", MATCHES)}
        for item in _items(value, field, dict)
    ]


def _items(value: Mapping[str, Any], field: str, kind: type[Any] = str) -> list[Any]:
    items = value.get(field)
    if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
        raise VerdictError(f"`{field}` is no list of {'objects' if kind is dict else 'texts'}")
    if len(items) > MAX_ITEMS:
        raise VerdictError(f"`{field}` lists more than {MAX_ITEMS}", "out of range")
    return items


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise VerdictError(f"`{field}` is no text")
    return value[:MAX_TEXT]


def _label(value: Mapping[str, Any], field: str, labels: tuple[str, ...]) -> str:
    found = value.get(field)
    label = found.strip().lower().replace(" ", "_") if isinstance(found, str) else ""
    if label not in labels:
        raise VerdictError(f"`{field}` is none of {', '.join(labels)}")
    return label


def _flag(value: Mapping[str, Any], field: str) -> bool:
    found = value.get(field)
    if isinstance(found, str) and found.strip().lower() in ("true", "false"):
        return found.strip().lower() == "true"
    if not isinstance(found, bool):
        raise VerdictError(f"`{field}` is neither true nor false")
    return found
