"""A Space on a hub on loopback that can be written to: ``hub_server.Hub`` with the routes of creating and committing.

``POST /api/repos/create``, ``/api/validate-yaml``, ``/api/spaces/ID/preupload/REV`` and ``/api/spaces/ID/commit/REV``
(lines of JSON: a header, files in base64, deletions). Every file counts as a small one.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from hub_server import Fault, Hub, _Handler


class Space(Hub):
    """created: what was asked of ``/api/repos/create``. commits: the messages of commits so far."""

    def __init__(self, repo: str, files: Mapping[str, bytes] | None = None, *, token: str) -> None:
        super().__init__(repo, files or {}, kind="space", large=(), token=token)
        self.handler: type[_Handler] = _Writing
        self.created: list[dict[str, Any]] = []
        self.commits: list[str] = []


class _Writing(_Handler):
    hub: Space

    def _route(self, path: str, query: Mapping[str, list[str]], fault: Fault | None) -> None:
        api = f"/api/spaces/{re.escape(self.hub.repo)}"
        place = f"{self.hub.url}/spaces/{self.hub.repo}"
        if self.command == "POST" and path == "/api/repos/create":
            self.hub.created.append(json.loads(self.body))
            self._json({"url": place, "name": self.hub.repo}, fault)
        elif self.command == "POST" and path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []}, fault)
        elif self.command == "POST" and re.fullmatch(f"{api}/preupload/main", path):
            files = json.loads(self.body)["files"]
            told = [{"path": item["path"], "uploadMode": "regular", "shouldIgnore": False} for item in files]
            self._json({"files": told}, fault)
        elif self.command == "POST" and re.fullmatch(f"{api}/commit/main", path):
            self._commit()
            told = {"commitUrl": f"{place}/commit/{self.hub.commit}", "commitOid": self.hub.commit, "success": True}
            self._json(told, fault)
        else:
            super()._route(path, query, fault)

    def _commit(self) -> None:
        for line in self.body.splitlines():
            row = json.loads(line)
            value = row["value"]
            if row["key"] == "header":
                self.hub.commits.append(value["summary"])
            elif row["key"] == "file":
                self.hub.files[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "deletedFile":
                del self.hub.files[value["path"]]
