"""What work over many cases tells when some of them failed."""

from __future__ import annotations

from collections.abc import Mapping

from m3dbench.errors import UserError

SHOWN = 5


def failure(failed: Mapping[str, UserError], total: int) -> UserError:
    """One error for all failed cases: how many, the first in full, the next few by name."""
    name, error = next(iter(failed.items()))
    names = list(failed)[1 : SHOWN + 1]
    more = f" and {len(failed) - SHOWN - 1} more" if len(failed) > SHOWN + 1 else ""
    others = f" (failed too: {', '.join(names)}{more})" if names else ""
    return UserError(
        f"{len(failed)} of {total} cases failed, the others are finished{others}. {name}: {error.message}",
        file=error.file,
        record=name,
        field=error.field,
        fix=error.fix or "mend or move this case away and run again: finished cases are kept",
    )
