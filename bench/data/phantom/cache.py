"""The phantom data set in the user's cache, made on first use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from m3dbench.cache import cache_dir
from m3dbench.data.phantom import VERSION, make
from m3dbench.errors import UserError, missing_extra
from m3dbench.progress import Advance, Progress


@dataclass(frozen=True)
class PhantomOptions:
    """What phantom to make: seed of the cases, how many of them, grid, raw forms beside the prepared ones."""

    seed: int = 0
    train: int = 60
    test: int = 30
    full_size: bool = False
    raw: bool = False

    @property
    def folder(self) -> str:
        """The name in the cache: ``phantom`` for the default, else one that tells the options."""
        if self == PhantomOptions():
            return f"phantom-{VERSION}"
        flags = ("full",) * self.full_size + ("raw",) * self.raw
        return "-".join(["phantom", VERSION, f"seed{self.seed}", f"{self.train}x{self.test}", *flags])


def default_phantom(progress: Progress) -> Path:
    """The embedded default data set, made now if it is not there yet."""
    return made_phantom(None, PhantomOptions(), progress)


def made_phantom(directory: Path | None, options: PhantomOptions, progress: Progress) -> Path:
    """Make a phantom at ``directory`` (None: in the cache) unless it is there, whole.

    Raises UserError when the directory holds something else, or a package that the raw forms need is missing.
    """
    place = directory if directory is not None else cache_dir() / options.folder
    try:
        with progress.stage("phantom data set", None) as advance:
            return make(
                place,
                seed=options.seed,
                train=options.train,
                test=options.test,
                full_size=options.full_size,
                raw=options.raw,
                progress=_Steps(advance),
            )
    except (ValueError, OSError) as error:
        raise UserError(f"the phantom cannot be made: {error}", file=place, fix="choose another directory") from error
    except ImportError as error:
        raise missing_extra("writing the raw forms", "data") from error


class _Steps:
    """Turns (done, total) reports into steps."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        self._advance(done - self._done)
        self._done = done
