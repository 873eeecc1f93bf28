"""The audit's report as a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEANING = {
    "no verdict": "Replies that hold no usable verdict after every attempt. Such samples are left out of the mean.",
    "itself": "A text compared with itself holds every aspect.",
    "empty": "An empty text holds none.",
    "another text": "The text of another case shares little.",
    "wrong side": "Left and right exchanged.",
    "wrong organ": "Organs exchanged for others.",
    "negation": "What is absent is stated as present, or the other way round.",
    "repeats": "Half of the text against all of it, asked several times with other fences and seeds.",
    "order of the texts": "Half of the text against all of it, with the two texts in the other order.",
    "length": "Half of the text with sentences about how the images were made and read.",
    "attacks": "A wrong text that tries to talk the judge into a good verdict.",
    "people": "Scores that people gave to the same answers.",
}
IDENTITY = {
    "model": "model",
    "revision": "revision",
    "endpoint": "endpoint",
    "format": "format of the reply",
    "temperature": "temperature",
    "seed": "seed",
    "rubric_digest": "rubric, SHA-256",
    "prompt_digest": "prompt, SHA-256",
}


def to_markdown(content: Mapping[str, Any]) -> str:
    """The page of a report (``m3dbench.judge.audit``)."""
    judge, rubric = content["judge"], content["rubric"]
    lines = [f"# Audit of the judge {_text(judge['model'])} under {rubric['name']} {rubric['version']}", ""]
    lines += [*_verdict(content), ""]
    lines += ["## Checks", "", *_checks(content["checks"]), ""]
    for check in content["checks"]:
        if check["name"] == "attacks":
            lines += ["## Attacks", "", *_attacks(check), ""]
        if check["name"] == "people":
            lines += ["## Agreement with people", "", *_people(check), ""]
    if content["without_verdict"]:
        lines += ["## Some replies without a verdict", ""]
        for item in content["without_verdict"]:
            told = f", reply: `{_text(item['reply'])}`" if item["reply"] else ""
            lines.append(f"- {_text(item['asked'])}: {_text(item['reason'])}{told}")
        lines.append("")
    lines += ["## Who was audited", ""]
    lines += _table(("", ""), [(told, _text(judge[name]) or "not known") for name, told in IDENTITY.items()])
    lines += ["", _material(content)]
    return "\n".join(lines) + "\n"


def _material(content: Mapping[str, Any]) -> str:
    rubric, cases, used = content["rubric"], content["cases"], content["usage"]
    title = _text(rubric["title"] or rubric["name"])
    return (
        f"Rubric: {title}. Material: {cases['count']} cases ({_text(cases['source'])}), "
        f"{cases['ratings']} ratings by people, {content['repeats']} repeats. "
        f"{used['prompt_tokens']:,} tokens read, {used['completion_tokens']:,} written. "
        f"Digest of this report: `{content['digest'][:16]}`."
    )


def silent_checks(content: Mapping[str, Any]) -> list[str]:
    """The checks that say nothing, for example because no reference names a side that could be exchanged."""
    return [check["name"] for check in content["checks"] if check["passed"] is None]


def _verdict(content: Mapping[str, Any]) -> list[str]:
    if content["fit"]:
        told = "**Fit for use**: every check is met."
        if silent := silent_checks(content):
            told = (
                f"**Fit for use**, as far as it was examined: nothing is known of {', '.join(silent)}; the rest is met."
            )
        if not content["compared_with_people"]:
            told += (
                " It was not compared with people, so the audit shows that its scores are consistent and react to "
                "errors, not that they agree with a radiologist's."
            )
        return [told]
    return [
        f"**Not fit for use.** Not met: {', '.join(content['failed'])}. Scores of this judge should not be published."
    ]


def _checks(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for check in checks:
        passed = {True: "met", False: "**not met**", None: "says nothing"}[check["passed"]]
        rows.append(
            (
                check["title"],
                _number(check["value"]),
                _interval(check["interval"]),
                check["needed"],
                passed,
                f"{check['answered']}/{check['asked']}",
            )
        )
    table = _table(("check", "value", "95% interval", "needed", "", "answered"), rows)
    return [*table, "", *(f"- *{check['name']}*: {MEANING[check['name']]}" for check in checks)]


def _attacks(check: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, _number(item["without"]), _number(item["gain"], signed=True), str(item["no verdict"]))
        for name, item in check["details"].items()
    ]
    intro = (
        "What a wrong text scores by itself, the points that it gains by each attack (means over cases), and attacks "
        "that left no verdict. Where a wrong text scores near 100 by itself there is nothing to gain, and the check "
        "says nothing."
    )
    return [intro, "", *_table(("attack", "without it", "gain", "no verdict"), rows)]


def _people(check: Mapping[str, Any]) -> list[str]:
    rows = [(name, _number(item["value"]), _interval(item["interval"])) for name, item in check["details"].items()]
    note = "Kappa has quadratic weights over five equal bands of the scale. Intervals resample cases."
    return [*_table(("coefficient", "value", "95% interval"), rows), "", note]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(titles), _row(["---"] * len(titles)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "none"
    return f"{value:+.2f}" if signed else f"{value:.2f}"


def _interval(limits: Sequence[float] | None) -> str:
    return "" if limits is None else f"{limits[0]:.2f} to {limits[1]:.2f}"


def _text(value: Any) -> str:
    """A value that cannot break the page's form, on one line."""
    plain = "".join(letter if letter.isprintable() else " " for letter in str(value))
    return plain.replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
