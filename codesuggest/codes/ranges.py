"""Which codes the notes of the Tabular List name: their ranges as positions in the table, by the code they speak about."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesuggest.codes import NOTE_KINDS, like_pattern

#: (start, stop, note): the note names the codes from position `start` up to `stop`, exclusive.
_Run = tuple[int, int, int]
_MOST = 8_000  #: codes whose notes are kept, about 2 MB


class NoteRanges:
    """The ranges that notes of each kind name. Made of a table when first asked for a kind, in 30 ms."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], nodes: Callable[[int], Sequence[int]]) -> None:
        """arrays: of `codesuggest.codes`. nodes: where notes about a code may stand, see `note_node`."""
        self._arrays, self._nodes = arrays, nodes
        self._known: dict[str, dict[int, list[_Run]]] = {}
        self._over: dict[tuple[str, int], list[_Run]] = {}

    def named(
        self, kind: str, indices: Iterable[int], among: Iterable[int] | None = None
    ) -> list[tuple[int, int, int]]:
        """(i, j, note) for each note of a kind over code `i` that names code `j`, sorted; see `CodeSystem.named_in_notes`."""
        owners = sorted(set(indices))
        wanted = owners if among is None else sorted(set(among))
        found: set[tuple[int, int, int]] = set()
        for i in owners:
            for start, stop, note in self._runs(kind, i):
                at = bisect_left(wanted, start)
                while at < len(wanted) and wanted[at] < stop:
                    found.add((i, wanted[at], note))
                    at += 1
        return sorted(found)

    def _runs(self, kind: str, i: int) -> list[_Run]:
        """Of the notes of a kind over code `i`, its ancestors, block and chapter; kept, as notes are coded alike."""
        over = self._over
        held = over.get((kind, i))
        if held is None:
            if len(over) >= _MOST:
                over = self._over = {}
            by_node = self.of_kind(kind)
            held = over[kind, i] = [run for node in self._nodes(i) for run in by_node.get(node, ())]
        return held

    def of_kind(self, kind: str) -> dict[int, list[_Run]]:
        """The runs of the notes of a kind by the node at which each note stands."""
        if kind in self._known:
            return self._known[kind]
        a, codes = self._arrays, self._arrays["codes"]
        keep = np.flatnonzero(a["note_kind"][a["range_note"]] == NOTE_KINDS.index(kind))
        note = a["range_note"][keep].astype(np.int64)
        start = np.searchsorted(codes, a["range_lo"][keep])
        stop = np.searchsorted(codes, np.char.add(a["range_hi"][keep], b"\x7f"))
        nodes = a["note_node"][note].tolist()
        out: dict[int, list[_Run]] = {}
        for k, like in enumerate(a["range_like"][keep].tolist()):
            runs = [(int(start[k]), int(stop[k]))]
            if like:  # a few dozen notes: "E08-E13 with .621"
                pattern = like_pattern(like)
                hit = [bool(pattern.fullmatch(c)) for c in codes[start[k] : stop[k]].tolist()]
                edges = np.flatnonzero(np.diff(np.concatenate(([False], hit, [False])).astype(np.int8))) + int(start[k])
                runs = [(int(s), int(e)) for s, e in edges.reshape(-1, 2)]
            out.setdefault(nodes[k], []).extend((s, e, int(note[k])) for s, e in runs if e > s)
        self._known[kind] = out
        return out
