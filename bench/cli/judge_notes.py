"""What the terminal says of a judge under the table of its values."""

from __future__ import annotations

from m3dbench.runs.summary import JudgeSummary


def judge_notes(judge: JudgeSummary) -> list[str]:
    """Who judged, how much went without a verdict, whether it may be published, and what its audit says."""
    told = f"{judge.metric} (0 to 100): rubric {judge.rubric}, judged by {judge.model}"
    if judge.usage.get("cost") is not None:
        told += f", whose replies are worth {judge.usage['cost']:.4g}"
    notes = [f"{told}; {judge.unscored:,} without a verdict ({judge.unscored_rate:.1%})."]
    if judge.failures:
        causes = ", ".join(f"{count:,} {failure}" for failure, count in judge.failures.items())
        notes.append(f"{judge.metric}, without a verdict: {causes}.")
    if not judge.publishable:
        notes.append(
            f"NOT PUBLISHABLE: {judge.metric} lacks {judge.unscored_rate:.1%} of its verdicts, "
            f"more than --max-unscored {judge.max_unscored:.1%} (--retry-unscored asks again)."
        )
    if judge.upstream_lost is not None:
        notes.append(f"{judge.metric}: the reference's pattern loses {judge.upstream_lost:,} scores that can be read.")
    if judge.audit:
        fit = "fit for use" if judge.audit["fit"] else f"NOT FIT FOR USE ({', '.join(judge.audit['failed'])})"
        notes.append(f"{judge.metric}: audit {judge.audit['digest'][:12]} calls this judge {fit}.")
    elif judge.publishable:
        notes.append(f"{judge.metric}: no audit of this judge was given (m3dbench judge audit).")
    return notes
