"""The commands about releases of code systems: `codes add, fetch, list, remove, diff` and `model rebuild`.

As in `cli`, each parses, makes one public call and prints; `cli` puts them into its groups and catches the errors.
"""

from __future__ import annotations

import json as jsonlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codesuggest.errors import OptionError, ReleaseError
from codesuggest.terminal import print_diff, print_kept, print_rebuilt

if TYPE_CHECKING:
    from codesuggest.codes.releases import Kept
    from codesuggest.codes.system import CodeSystem

ReleaseOption = Annotated[
    str | None, typer.Option(help="Day it is in force from, 2025-10-01, or year; by default found in the file's names.")
]
_SIDE = re.compile(r"(?:FY-?)?20\d\d(?:-\d\d-\d\d)?", re.I)


def register(codes: typer.Typer, model: typer.Typer) -> None:
    """Put the commands into the groups `codes` and `model`."""
    for name, command in (("add", add), ("fetch", fetch), ("list", list_), ("remove", remove), ("diff", diff)):
        codes.command(name)(command)
    model.command("rebuild")(rebuild)


def add(
    system: Annotated[
        str, typer.Argument(help="As icd10cm, icd10cm-index, hcpcs; any other name for a list of yours.")
    ],
    file: Annotated[Path, typer.Argument(help="A published file, zip or folder, or CSV/TSV with code and title.")],
    release: ReleaseOption = None,
) -> None:
    """Keep a published file of a code system on this machine. `model rebuild` then makes a model with it."""
    from codesuggest.codes import releases

    _say(releases.add(system, file, release))


def fetch(
    system: Annotated[str, typer.Argument(help="As icd10cm, icd10pcs, hcpcs, icd10cm-poa.")],
    release: Annotated[str, typer.Option(help="Day it is in force from, 2025-10-01, or year.")],
    url: Annotated[str | None, typer.Option(help="The publisher's address, if it is not the known one.")] = None,
    sha256: Annotated[str | None, typer.Option(help="What the file must be, if you know it.")] = None,
) -> None:
    """Get a published file from its publisher and keep it. An interrupted download goes on where it stopped."""
    from dataclasses import replace

    from codesuggest.codes import fetch as fetching
    from codesuggest.codes import releases

    if url is None:
        address = fetching.address_of(system, release)
    else:
        address = fetching.Address(system, releases.named_release(system, release), url)
    if sha256 is not None:
        address = replace(address, sha256=sha256.removeprefix("sha256:").lower())
    typer.echo(f"fetching {address.url}", err=True)
    file = fetching.fetch(address)
    _say(releases.add(system, file, release))
    file.unlink()


def list_() -> None:
    """The releases kept on this machine."""
    from codesuggest.codes import releases

    rows = releases.kept()
    if not rows:
        typer.echo(
            f"nothing is kept in {releases.home()}; `codesuggest codes add` and `codes fetch` put releases there"
        )
        return
    print_kept(rows)


def remove(
    system: str,
    release: Annotated[str, typer.Argument(help="As `codes list` shows it.")],
) -> None:
    """Forget a release that is kept on this machine."""
    from codesuggest.codes import releases

    releases.remove(system, release)
    typer.echo(f"{system} {release} is no longer kept", err=True)


def diff(
    system: Annotated[str, typer.Argument(help="As icd10cm.")],
    before: Annotated[str, typer.Argument(help="A fiscal year (2025), a day, a kept release, or a file.")],
    after: Annotated[str, typer.Argument(help="The same.")],
    json: Annotated[bool, typer.Option("--json", help="Print it as one JSON object.")] = False,
) -> None:
    """What changed between two releases: codes added, deleted, retitled, turned into a header or out of one."""
    from codesuggest.codes.diff import diff as compare

    (one, day), (other, later) = (_table(system, side) for side in (before, after))
    found = compare(one, other, on=(day, later))
    if json:
        typer.echo(jsonlib.dumps(found.to_dict(), ensure_ascii=False))
    else:
        print_diff(found)


def _table(system: str, side: str) -> tuple[CodeSystem, str | None]:
    """The table a side of `diff` means, and the day it is looked at: a file, a kept release, or the model's own."""
    from codesuggest.codes import releases
    from codesuggest.codes.system import CodeSystem
    from codesuggest.suggester import CodeSuggester

    path = Path(side)
    if path.exists():
        row = releases.reader_of(system, path)
        table = releases.read(row, system, path, path.name)
        if not isinstance(table, CodeSystem):
            raise OptionError(f"{side} is {row['what']}, no list of codes")
        return table, None
    name = releases.named_release(system, side)
    if any(k.release == name for k in releases.kept(system)):
        return releases.open_kept(system, name), None
    own = CodeSuggester.load().tables.get(system)
    if own is not None and _SIDE.fullmatch(side):
        days = [day for day, _ in own.releases]
        if days[0] <= int(name.replace("-", "")):
            return own, name
    kept = ", ".join(dict.fromkeys(k.release for k in releases.kept(system))) or "none"
    has = f"; the starter model has {', '.join(release for _, release in own.releases)}" if own is not None else ""
    raise ReleaseError(f"{side} is no file, and no release of {system} that is here (kept: {kept}{has})")


def rebuild(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    model: Annotated[Path | None, typer.Option(help="Model to start from; by default the starter.")] = None,
) -> None:
    """Make a model with everything that is kept: releases of code systems, the Alphabetic Index and its tables.

    Says what changed in accuracy on the invented notes that ship with the package.
    """
    from codesuggest.rebuild import rebuild as make

    print_rebuilt(make(out, model=model, progress=lambda line: typer.echo(line, err=True)))


def _say(kept: Kept) -> None:
    size = f", {kept.size:,} {'codes' if '-' not in kept.kind else 'rows'}" if kept.size else ""
    typer.echo(f"{kept.kind} {kept.release}{size}, read from {kept.file}: {kept.path}", err=True)
