"""Code systems that may be used under a licence of one's own, and never be passed on: CPT and dental codes.

A model that holds one says so in its manifest (`redistributable: false`, `not_redistributable`: why), is never written
where the project ships from, and `models/hatch_build.py` builds no package around it. The rule errs on the safe side: a
superbill of one's own that holds codes of CPT's shape counts as CPT, whatever it is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from codesuggest.codes.system import CodeSystem
from codesuggest.errors import OptionError

__all__ = ["marked", "refuse_shipping", "why_restricted"]

_CPT = "CPT codes and descriptions are copyright American Medical Association; they serve whoever holds a licence"
_CDT = "D codes (CDT) are copyright American Dental Association; they serve whoever holds a licence"
_CPT_CODE, _CDT_CODE = re.compile(rb"[0-9]{4}[0-9AFTUM]"), re.compile(rb"D[0-9]{4}")
#: What a checkout ships, in the wheel or the source distribution.
_SHIPPED = ("models", "codesuggest", "corpora", "notebooks", "tests")


def why_restricted(system: CodeSystem) -> str:
    """Why a model with this system must not be passed on; empty when it may.

    ICD systems are public whatever their codes look like (25000 of ICD-9-CM does like CPT). A code of five characters is
    looked at, which takes 2 ms for 10,000 codes.
    """
    if system.name.startswith("cpt"):
        return _CPT
    if system.name.startswith("icd"):
        return ""
    codes = system.codes[np.char.str_len(system.codes) == 5].tolist()
    if any(_CPT_CODE.fullmatch(code) for code in codes):
        return f"{system.name} holds codes of CPT's shape: {_CPT}"
    if system.name.startswith("hcpcs") and any(_CDT_CODE.fullmatch(code) for code in codes):
        return _CDT
    return ""


def marked(about: Mapping[str, Any], systems: Iterable[CodeSystem]) -> dict[str, Any]:
    """What a model says about itself, with the mark that its systems ask for; unchanged when they ask for none."""
    why = sorted({reason for system in systems if (reason := why_restricted(system))})
    return {**about, "redistributable": False, "not_redistributable": why} if why else dict(about)


def refuse_shipping(path: Path, about: Mapping[str, Any], starter: Path) -> None:
    """Raises OptionError if a model that may not be passed on would be written where it ships from.

    path: the folder to write. starter: the shipped model, which is beside the modules of an installed package.
    """
    if about.get("redistributable") is not False:
        return
    target = path.resolve()
    above = [target, *target.parents]
    places = [starter.resolve().parent]
    for root in above:
        if _is_checkout(root):
            places += [root / name for name in _SHIPPED]
    for place in places:
        if any(_same(place, folder) for folder in above):
            why = "; ".join(about.get("not_redistributable", ())) or "its manifest says so"
            raise OptionError(
                f"{path}: a model that is not redistributable is not written below {place}, which ships with the "
                f"package; choose a folder outside of the checkout ({why})"
            )


def _is_checkout(root: Path) -> bool:
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(r'(?m)^name\s*=\s*"codesuggest"', text) is not None


def _same(a: Path, b: Path) -> bool:
    # also where a file system does not tell Models from models
    return a == b or (a.exists() and b.exists() and a.samefile(b))
