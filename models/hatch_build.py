"""Build hook: no wheel and no source distribution around a model that must not be passed on.

`codesuggest` itself is not imported, because a build runs without its dependencies.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Folders that go into the wheel or the source distribution.
SHIPPED = ("models", "codesuggest", "corpora", "notebooks", "tests")


class RedistributableOnly(BuildHookInterface):  # type: ignore[type-arg]
    """Refuses to build while a shipped folder holds a model that is not redistributable, or one with CPT."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # it points at the checkout and passes nothing on
        root = Path(self.root)
        starter = root / "models" / "starter" / "manifest.json"
        if not starter.is_file():
            raise RuntimeError(f"{starter} is missing: build it with `codesuggest model build`")
        for manifest in sorted({starter, *(m for name in SHIPPED for m in (root / name).rglob("manifest.json"))}):
            problem = problem_of(manifest.read_bytes(), shipped=manifest == starter)
            if problem:
                raise RuntimeError(f"{manifest}: {problem}; the package is not built")


def problem_of(raw: bytes, *, shipped: bool) -> str:
    """What forbids to pass on the model of a manifest; empty when nothing does. `shipped`: it is the starter itself."""
    try:
        manifest = json.loads(raw)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return "is no manifest of a model" if shipped else ""
    redistributable = manifest.get("redistributable")
    if redistributable is False or (shipped and redistributable is not True):
        why = (
            "; ".join(map(str, manifest.get("not_redistributable") or ())) or "it does not say that it may be passed on"
        )
        return f"the model is not redistributable ({why})"
    rows = manifest.get("systems")
    names = [str(row.get("system")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    names += [name.split("/")[0] for name in manifest["files"]]
    held = sorted({name for name in names if name.lower().startswith("cpt")})
    return f"the model holds {', '.join(held)}, which is licensed to its user only" if held else ""
