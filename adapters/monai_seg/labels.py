"""Which class of a network's label table a request means."""

from __future__ import annotations

from collections.abc import Iterable

from m3dbench.data.names import accepted_names
from m3dbench.data.sample import Request
from m3dbench.metrics.names import words


class LabelTable:
    """Class names of a network. A target is a class when one of its accepted names, synonyms and word orders included,
    is one of the class's; the table's own name counts before a synonym."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._own = {_key(name): name for name in self.names}
        self._accepted = {name: [tuple(words(one)) for one in accepted_names(name)] for name in self.names}

    def asked(self, request: Request) -> str | None:
        """The class that a request is about: its target, else the only class that its description or question names.

        None where the table has none, or the text names several.
        """
        if request.target:
            return self.of(request.target)
        return self.named_in(request.description or request.question)

    def of(self, target: str) -> str | None:
        """The class of a name."""
        if (own := self._own.get(_key(target))) is not None:
            return own
        wanted = {tuple(words(one)) for one in accepted_names(target)}
        fits = [name for name, accepted in self._accepted.items() if not wanted.isdisjoint(accepted)]
        return fits[0] if len(fits) == 1 else None

    def named_in(self, text: str) -> str | None:
        """The only class that a text names; of names within each other ("kidney left", "kidney") the longest counts."""
        said = words(text)
        found: dict[tuple[int, int], str] = {}
        for name, accepted in self._accepted.items():
            for one in accepted:
                for start in range(len(said) - len(one) + 1):
                    if one and tuple(said[start : start + len(one)]) == one:
                        found[start, start + len(one)] = name
        outer = {
            name
            for (start, stop), name in found.items()
            if not any(
                low <= start and stop <= high and (low, high) != (start, stop) and found[low, high] != name
                for low, high in found
            )
        }
        return outer.pop() if len(outer) == 1 else None


def _key(name: str) -> str:
    return " ".join(words(name))
