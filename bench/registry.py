"""Tasks, adapters, metrics and data sets, all found through entry points; the built-in ones are no first class."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, Literal

from m3dbench.errors import UserError

Group = Literal["tasks", "adapters", "metrics", "datasets"]
NOUNS: dict[Group, str] = {"tasks": "task", "adapters": "model", "metrics": "metric", "datasets": "data set"}


def available(group: Group) -> dict[str, EntryPoint]:
    """Name -> entry point, sorted by name.

    Raises UserError when two installed packages claim one name for different objects.
    """
    found: dict[str, EntryPoint] = {}
    for point in _installed(group, tuple(sys.path)):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise UserError(
                f"two packages register the {NOUNS[group]} {point.name!r}: {other.value} and {point.value}",
                fix="uninstall one, or rename its entry point",
            )
    return dict(sorted(found.items()))


@cache
def _installed(group: Group, path: tuple[str, ...]) -> EntryPoints:
    """Kept for each search path, since reading what is installed takes as long as importing a small library."""
    return entry_points(group=f"m3dbench.{group}")


def load(group: Group, name: str) -> Any:
    """The object behind a name.

    ``family:rest``, where no entry has that name but ``family`` is one whose factory takes the option ``name``, is that
    factory with ``name="rest"``.

    Raises UserError with the nearest names when there is none, and with the cause when its package cannot be imported.
    """
    points = available(group)
    family, colon, rest = name.partition(":")
    if name not in points and colon and rest and family in points:
        factory = load(group, family)
        if "name" in inspect.signature(factory).parameters:
            return partial(factory, name=rest)
    if name not in points:
        near = difflib.get_close_matches(name, points, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of: {', '.join(points)}"
        raise UserError(f"there is no {NOUNS[group]} {name!r}", fix=f"{hint} (see `m3dbench list {group}`)")
    try:
        return points[name].load()
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"the {NOUNS[group]} {name!r} ({points[name].value}) cannot be loaded: {error}",
            fix="install or mend the package that provides it",
        ) from error


def create(group: Group, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """Call the factory behind a name with keyword options.

    Raises UserError naming the options it takes when one is unknown or missing.
    """
    factory = load(group, name)
    given = dict(options or {})
    parameters = _parameters(factory)
    accepted = list(parameters)
    unknown = [key for key in given if key not in accepted]
    needed = [key for key in accepted if parameters[key].default is inspect.Parameter.empty and key not in given]
    if unknown or needed:
        what = f"does not know the option {unknown[0]!r}" if unknown else f"needs the option {needed[0]!r}"
        raise UserError(f"{NOUNS[group]} {name!r} {what}", fix=f"its options are: {', '.join(accepted) or 'none'}")
    typed = {key: _typed(value, parameters[key].annotation, f"{name}.{key}") for key, value in given.items()}
    return factory(**typed)


def takes(group: Group, name: str) -> list[str]:
    """The options of the factory behind a name."""
    return list(_parameters(load(group, name)))


def _parameters(factory: Any) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(factory, eval_str=True).parameters
    return {key: value for key, value in parameters.items() if value.kind is not inspect.Parameter.VAR_KEYWORD}


def _typed(value: Any, kind: Any, option: str) -> Any:
    """A text from the command line as the option's annotated type; other values as they are."""
    if not isinstance(value, str) or kind not in (bool, int, float):
        return value
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value.lower()]
        return kind(value)
    except (ValueError, KeyError) as error:
        raise UserError(f"the option {option} takes {kind.__name__}, not {value!r}", field=option) from error
