"""What was fetched, from where and at which commit: ``m3dbench-fetch.json`` in the data set's folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m3dbench.data.convert.prepared import read_json, write_json
from m3dbench.data.fetch.hub import RemoteFile
from m3dbench.errors import UserError

FILE_NAME = "m3dbench-fetch.json"
FORMAT = 1


@dataclass
class Record:
    """repo, revision (commit) and endpoint of the files; licence as the hub names it, accepted by the user. files: path
    -> size and checksum of what is complete and verified. unpacked: archive -> number of files and bytes."""

    path: Path
    repo: str
    revision: str
    endpoint: str
    licence: str
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    unpacked: dict[str, dict[str, int]] = field(default_factory=dict)

    @staticmethod
    def open(folder: Path, repo: str, revision: str, endpoint: str, licence: str) -> Record:
        """The record of a folder, continued if it is of the same commit.

        Raises UserError when the folder holds another repository or another commit.
        """
        path = folder / FILE_NAME
        known = read_json(path)
        record = Record(path, repo, revision, endpoint, licence)
        if not known:
            return record
        if known.get("repo") != repo:
            raise UserError(f"holds {known.get('repo')}, not {repo}", file=path, fix="choose another directory")
        if known.get("revision") != revision:
            raise UserError(
                f"holds revision {known.get('revision')}, the hub gives {revision} now",
                file=path,
                field="--revision",
                fix=f"go on with --revision {known.get('revision')}, or choose another directory",
            )
        record.files = known.get("files", {})
        record.unpacked = known.get("unpacked", {})
        return record

    def holds(self, file: RemoteFile) -> bool:
        """Whether the file is there, or was unpacked and removed, as it was when it was verified."""
        if file.path in self.unpacked:
            return True
        target = self.path.parent / file.path
        known = self.files.get(file.path, {})
        if not target.is_file() or known.get("checksum") != file.checksum:
            return False
        told = target.stat()
        return (told.st_size, told.st_mtime_ns) == (file.size, known.get("mtime_ns"))

    def add(self, file: RemoteFile) -> None:
        """Note a verified file."""
        kind = "sha256" if file.sha256 else "git_sha1"
        mtime = (self.path.parent / file.path).stat().st_mtime_ns
        self.files[file.path] = {"size": file.size, "kind": kind, "checksum": file.checksum, "mtime_ns": mtime}
        self.write()

    def write(self) -> None:
        write_json(
            self.path,
            {
                "format": FORMAT,
                "repo": self.repo,
                "revision": self.revision,
                "endpoint": self.endpoint,
                "licence": self.licence,
                "licence_accepted": True,
                "files": dict(sorted(self.files.items())),
                "unpacked": dict(sorted(self.unpacked.items())),
            },
        )
