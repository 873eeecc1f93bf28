"""Label tables: what a public data set looks like on disk and what its label numbers mean, one TOML file each.

``tables/*.toml`` are shipped; a user's own file has the same form. Adding a data set is adding a table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from m3dbench.data.convert.prepared import check_code, class_name
from m3dbench.errors import UserError

SUFFIX = ".toml"


class Layout(BaseModel):
    """Where scans and labels lie below the source folder, as patterns of relative paths.

    ``{case}`` stands for the case's name, ``*`` for any part of a file or folder name, ``.nii.gz`` for ``.nii`` too.
    Labels are one multi-label file a case (``label``), or a file a class (``masks``, with ``{class}`` in it).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    label: str = ""
    masks: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Layout:
        if bool(self.label) == bool(self.masks):
            raise ValueError("give either label or masks")
        for pattern, wanted in ((self.image, "{case}"), (self.label or self.masks, "{case}"), (self.masks, "{class}")):
            if pattern and wanted not in pattern:
                raise ValueError(f"{pattern!r} lacks {wanted}")
            if pattern.startswith("/") or ".." in pattern.split("/"):
                raise ValueError(f"{pattern!r} leaves the source folder")
        return self

    def __str__(self) -> str:
        return f"{self.image} with {self.label or self.masks}"


class Table(BaseModel):
    """One public data set.

    code: that of M3D-Seg, else the name of the sub-dataset. labels: M3D's class name -> label number or numbers, in the
    order of M3D's class indices; empty where the data say it themselves. names: how else the data's own files call a
    class -> M3D's name, compared without case and underscores. ignore: label numbers that mean no class. cases: what
    the names of the cases that belong to it look like (regular expression). train_fraction: of a split made by seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    title: str
    code: str = ""
    home: str = ""
    licence: str = ""
    note: str = ""
    cases: str = ""
    train_fraction: float = Field(default=0.0, ge=0, lt=1)
    ignore: tuple[int, ...] = ()
    layouts: tuple[Layout, ...] = Field(min_length=1)
    labels: dict[str, int | tuple[int, ...]] = Field(default_factory=dict)
    names: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Table:
        strange = [name for name in self.names.values() if name not in self.labels]
        if strange:
            raise ValueError(f"names leads to {strange[0]!r}, which labels does not have")
        try:
            re.compile(self.cases)
        except re.error as error:
            raise ValueError(f"cases is no regular expression: {error}") from error
        return self

    @property
    def numbers(self) -> dict[str, tuple[int, ...]]:
        """Class name -> its label numbers."""
        return {name: (value,) if isinstance(value, int) else value for name, value in self.labels.items()}

    def canonical(self, own: str) -> str | None:
        """M3D's name of a class that the data's own files call ``own``; None where the table does not know it.

        A table without labels takes every name as it is.
        """
        plain = class_name(own)
        if not self.labels:
            return plain
        known = {class_name(name).lower(): name for name in self.labels} | {
            class_name(name).lower(): target for name, target in self.names.items()
        }
        return known.get(plain.lower())

    def expected(self) -> str:
        """The layouts in words, for messages."""
        return "; or ".join(map(str, self.layouts))


def shipped() -> dict[str, Path]:
    """The names of the tables that come with the package, sorted, with their files."""
    folder = Path(str(files("m3dbench.data.convert.tables")))
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def load_table(name: str | Path) -> Table:
    """A shipped table by its name, or a user's own file (``*.toml``).

    Raises UserError when there is none of this name, or when the file is no table: file and key are named.
    """
    path = Path(name)
    if path.suffix != SUFFIX:
        known = shipped()
        if str(name) not in known:
            raise UserError(
                f"there is no label table {str(name)!r}",
                fix=f"choose one of: {', '.join(known)}; or give a file of your own, NAME{SUFFIX}",
            )
        path = known[str(name)]
    elif not path.is_file():
        raise UserError("the label table is missing", file=path)
    try:
        content: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        table = Table.model_validate({"name": path.stem, **content})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"is not valid TOML: {error}", file=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"is no label table: {first['msg']}", file=path, field=place or None) from error
    check_code(table.code or table.name)
    return table
