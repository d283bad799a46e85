"""Engine: all a model knows of one code system, in arrays. The suggester asks it; the trainer fills it.

Files of one engine in a model folder, below its system's name:

    codes/*.npy      the CodeSystem's columns          concepts/*.npy    Concepts
    index/*.npy      TermIndex                         learned/*.npy     priors and associations
    axes/*.npy       Axes, of ICD-10-PCS             profiles/*.npy   Profiles, and
    marked/*                the mention dictionary, if it was taught one
    ranker.json      weights by feature name, intercept, calibration knots, threshold
    lines/*          what coded charge lines taught (`charges.py`), if there were any
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.charge_scoring import ChargeScorer
from codesuggest.charges import ChargeLines, from_table
from codesuggest.codes.system import CodeSystem
from codesuggest.concepts import KINDS, Concepts, TermTexts
from codesuggest.errors import ModelFormatError
from codesuggest.features import FEATURES, Table, features
from codesuggest.judged import LEAST_OPERATION, Judged
from codesuggest.learned import Learned
from codesuggest.marked import Claims, Dictionary, Spoken, claims, find
from codesuggest.named import Named
from codesuggest.note import Reading
from codesuggest.procedures import Axes
from codesuggest.profiles import Profiles
from codesuggest.rank import Ranker
from codesuggest.retrieve import Hits, Said, TermIndex
from codesuggest.routes import implied
from codesuggest.row import apart, tables_apart
from codesuggest.stated import with_stated
from codesuggest.static import Static
from codesuggest.store import Content, Folder

#: An operation has many neighbours (each body part) and learned terms beside them: so much more is asked of the index.
WIDER = 4


@dataclass(frozen=True)
class Engine:
    system: CodeSystem
    concepts: Concepts
    index: TermIndex
    learned: Learned
    ranker: Ranker
    lines: ChargeLines | None = None  #: None: no charge line was learned from
    axes: Axes | None = None  #: of ICD-10-PCS
    spoken: Spoken | None = None  #: where documents with every mention coded taught the system alone, as
    profiles: Profiles | None = None

    @cached_property
    def scorer(self) -> ChargeScorer:
        """For charge lines; without any learned from, by the table alone."""
        return ChargeScorer(self.lines or from_table(self.system), self.system)

    @cached_property
    def phrases(self) -> TermIndex:
        """Of the mention dictionary."""
        if self.spoken is None:
            return TermIndex(self.index.idf, np.zeros(1, np.int32), np.zeros(0, np.int32))
        return TermIndex(self.index.idf, self.spoken.indptr, self.spoken.form)

    @cached_property
    def term_texts(self) -> TermTexts:
        return TermTexts(self.concepts)

    @cached_property
    def static(self) -> Static:
        return Static.of(self.system, self.concepts)

    def hits(self, reading: Reading, *, top: int, floor: float) -> Hits:
        """The terms a note may say."""
        said = None
        if self.static.route is not None and (self.spoken is None or self.profiles is None):
            more, place = implied(reading)
            if len(more):
                form, word = np.append(reading.form, more), np.append(reading.word, place)
                said = Said.blocks(form, word, reading.segment_of_word, len(reading.first), len(self.index.idf))
        found = self.index.search_in(
            said or reading.said(),
            weak=reading.weak,
            top=top if self.axes is None else WIDER * top,
            floor=floor if self.axes is None else max(floor, LEAST_OPERATION),
        )
        return (
            with_stated(found, reading, self.index, self.system, self.static)
            if self.static.route is not None
            else found
        )

    def named(self, reading: Reading, hits: Hits) -> Named:
        """What these matches name in the note."""
        return Named.of(len(reading.words), hits, self.concepts, self.static.letter)

    def touched(self, hits: Hits, changed: npt.NDArray[np.bool_]) -> bool:
        """Whether one of some codes, bool (n codes,), can be a candidate for these matches."""
        concept = np.unique(self.concepts.term_concept[hits.term])
        bounds, member = self.concepts.member_indptr, self.concepts.member
        return any(changed[member[a:b]].any() for a, b in zip(bounds[concept], bounds[concept + 1], strict=True))

    def suggestible_on(self, day: str) -> npt.NDArray[np.bool_]:
        """(n codes,): codes that can be billed on the day, and those of the site. Kept for the day last asked about."""
        kept: tuple[str, npt.NDArray[np.bool_]] | None = self.__dict__.get("_suggestible")
        if kept is None or kept[0] != day:
            kept = day, self.system.suggestible_on(day)
            kept[1].flags.writeable = False
            self.__dict__["_suggestible"] = kept
        return kept[1]

    def candidates(
        self,
        reading: Reading,
        allowed: npt.NDArray[np.bool_],
        *,
        inpatient: bool,
        top: int,
        floor: float,
        reliability: npt.NDArray[np.float32] | None = None,
        dictionary: Dictionary | None = None,
        profiles: Profiles | None = None,
        tagged: npt.NDArray[np.float32] | None = None,
        unheard: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[Hits, Table]:
        """Matches and scored candidates of a note. allowed: bool (n codes,), billable on the day of service. reliability:
        of the learned terms, dictionary, profiles, tagged (by word): when they are not the model's own, as in training (the other
        documents' counts). unheard: bool (n terms,), terms to pass over, in training too."""
        hits = self.hits(reading, top=top, floor=floor)
        if unheard is not None:
            hits = hits.chosen(~unheard[hits.term])
        claimed = None
        if self.spoken is not None and self.profiles is not None:
            found = find(self.phrases, reading)
            dictionary, profiles = dictionary or self.spoken.dictionary, profiles or self.profiles
            claimed = claims(dictionary, profiles, reading, found, self.spoken.writing(reading, found))
            if self.spoken.tagger is not None:
                tagged = self.spoken.tagger.marked(reading, self.named(reading, hits)) if tagged is None else tagged
                claimed = replace(claimed, tagged=tagged)
            hits = self.spoken.among(hits, found)
        judged = self.judged(reading, hits, inpatient=inpatient, reliability=reliability, mentioned=claimed is not None)
        return self.scored(judged, allowed, claimed)[0]

    def judged(
        self,
        reading: Reading,
        hits: Hits,
        *,
        inpatient: bool,
        reliability: npt.NDArray[np.float32] | None = None,
        mentioned: bool = False,
    ) -> Judged:
        """What `scored` is given of a note: what its matches are worth. Or of several notes in one row (`row.py`)."""
        trust = self.learned.reliability if reliability is None else reliability
        return Judged.of(
            reading, hits, self.concepts, trust, self.index, self.static, inpatient=inpatient, axes=self.axes,
            mentioned=mentioned,
        )  # fmt: skip

    def scored(
        self, judged: Judged, allowed: npt.NDArray[np.bool_], claimed: Claims | None = None
    ) -> list[tuple[Hits, Table]]:
        """As `candidates`, of the judged matches of a note, or of each note in a row. claimed: of one note."""
        out = []
        # the values of a procedure's axes are asked of the whole note
        for one in [judged] if self.axes is None else apart(judged):
            table = features(
                one, self.index, self.static, self.learned, allowed=allowed, axes=self.axes, claimed=claimed
            )
            self.ranker.complete(table, one.hits)
            out += tables_apart(table, one)
        return out

    def files(self) -> tuple[dict[str, Any], dict[str, Content]]:
        """What the manifest says of this engine, and its files."""
        name = self.system.name
        out: dict[str, Content] = {}
        for key, array in self.system.arrays().items():
            out[f"{name}/codes/{key}.npy"] = array
        for part, values in (("concepts", _arrays(self.concepts)), ("index", self.index.arrays())):
            for key, array in values.items():
                out[f"{name}/{part}/{key}.npy"] = array
        for key, array in self.learned.arrays().items():
            out[f"{name}/learned/{key}.npy"] = array
        for key, array in (self.axes.arrays() if self.axes is not None else {}).items():
            out[f"{name}/axes/{key}.npy"] = array
        for key, array in (self.profiles.arrays() if self.profiles is not None else {}).items():
            out[f"{name}/profiles/{key}.npy"] = array
        if self.spoken is not None:
            for key, array in self.spoken.arrays().items():
                out[f"{name}/marked/{key}.npy"] = array
            out[f"{name}/marked/phrases.txt"] = "\n".join(self.spoken.dictionary.phrases)
            out[f"{name}/marked/writings.txt"] = "\n".join(self.spoken.dictionary.writings.texts)
        out[f"{name}/learned/grams.txt"] = "\n".join(self.learned.grams)
        out[f"{name}/ranker.json"] = {
            "first": {f: float(w) for f, w in zip(FEATURES, self.ranker.first, strict=True) if w},
            "first_intercept": self.ranker.first_intercept,
            "weights": {f: float(w) for f, w in zip(FEATURES, self.ranker.weights, strict=True) if w},
            "intercept": self.ranker.intercept,
            "knots_score": self.ranker.knots_score.tolist(),
            "knots_confidence": self.ranker.knots_confidence.tolist(),
            "threshold": self.ranker.threshold,
        }
        if self.lines is not None:
            for key, array in self.lines.arrays().items():
                out[f"{name}/lines/{key}.npy"] = array
            out[f"{name}/lines/grams.txt"] = "\n".join(self.lines.grams)
            out[f"{name}/lines/ranker.json"] = self.lines.settings()
        about = {"system": name, "release": self.system.release, "source": list(self.system.source)}
        return about, out

    @classmethod
    def load(cls, folder: Folder, about: Mapping[str, Any], forms: int) -> Engine:
        """forms: size of the model's vocabulary. Raises ModelFormatError where the parts do not fit together."""
        try:
            engine = cls._load(folder, about)
            fits = engine._fits(forms)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ModelFormatError(
                f"{folder.path}: its parts make no engine ({type(error).__name__}); rebuild the model"
            ) from None
        if not fits:
            raise ModelFormatError(f"{folder.path}: its arrays do not fit together; rebuild the model")
        return engine

    def _fits(self, forms: int) -> bool:
        """Whether every index points inside the array it is for, so that no note can run into a broken model."""
        concepts, index, learned = self.concepts, self.index, self.learned
        if self.lines is not None and not self.lines.fits(self.system):
            return False
        n_concepts, n_terms, n_codes = len(concepts.route), len(index), len(self.system)
        return bool(
            len(index.idf) == forms
            and _ragged_fits(index.indptr, index.forms, forms)
            and _ragged_fits(concepts.member_indptr, concepts.member, n_codes)
            and _ragged_fits(learned.gram_indptr, learned.gram_code, n_codes)
            and len(concepts.member_indptr) == n_concepts + 1
            and len(concepts.member) == len(concepts.side) == len(concepts.extension)
            and n_concepts == len(concepts.other) == len(concepts.vague) == len(concepts.common)
            and n_terms == len(concepts.term_concept) == len(concepts.term_kind) == len(concepts.text_offset) - 1
            and _ragged_fits(concepts.text_offset, concepts.text_blob, 256)
            and (not n_terms or 0 <= int(concepts.term_concept.min()) <= int(concepts.term_concept.max()) < n_concepts)
            and len(learned.grams) == len(learned.gram_indptr) - 1
            and len(learned.gram_code) == len(learned.gram_weight)
            and len(learned.code_prior) == len(learned.mention_prior) == n_codes
            and np.array_equal(
                np.flatnonzero(concepts.term_kind == KINDS.index("learned")),
                np.arange(n_terms - len(learned.reliability), n_terms),
            )
            and (self.axes is None or self.axes.fit_in(n_codes, n_terms, forms))
            and (self.profiles is None or self.profiles.fits(n_codes, forms))
            and (self.spoken is None or self.spoken.fits_in(n_codes, forms, n_terms, len(learned.reliability)))
        )

    @classmethod
    def _load(cls, folder: Folder, about: Mapping[str, Any]) -> Engine:
        name = about["system"]

        def part(which: str) -> dict[str, npt.NDArray[Any]]:
            prefix = f"{name}/{which}/"
            return {n[len(prefix) : -4]: folder.array(n) for n in folder.names(prefix) if n.endswith(".npy")}

        system = CodeSystem.from_arrays(part("codes"), name=name, release=about["release"], source=about["source"])
        row = folder.json(f"{name}/ranker.json")
        unknown = sorted({*row["weights"], *row["first"]} - set(FEATURES))
        if unknown:
            raise ModelFormatError(f"{folder.path}: weights for unknown features {unknown}; rebuild the model")
        ranker = Ranker(
            np.array([row["first"].get(f, 0.0) for f in FEATURES]),
            row["first_intercept"],
            np.array([row["weights"].get(f, 0.0) for f in FEATURES]),
            row["intercept"],
            np.array(row["knots_score"]),
            np.array(row["knots_confidence"]),
            row["threshold"],
        )
        grams = folder.text(f"{name}/learned/grams.txt").split("\n")
        spoken = None
        if folder.names(f"{name}/marked/"):
            phrases, texts = (
                tuple(p for p in folder.text(f"{name}/marked/{file}.txt").split("\n") if p)
                for file in ("phrases", "writings")
            )
            spoken = Spoken.from_arrays(part("marked"), phrases, texts)
        lines = None
        if folder.names(f"{name}/lines/"):
            shown = folder.text(f"{name}/lines/grams.txt").split("\n")
            lines = ChargeLines.from_parts(part("lines"), shown, folder.json(f"{name}/lines/ranker.json"))
        return cls(
            system,
            Concepts(**part("concepts")),
            TermIndex(**part("index")),
            Learned.from_arrays(part("learned"), tuple(g for g in grams if g)),
            ranker,
            lines,
            Axes(**axes) if (axes := part("axes")) else None,
            spoken,
            Profiles(**profiles) if (profiles := part("profiles")) else None,
        )


def _arrays(record: Concepts) -> dict[str, npt.NDArray[Any]]:
    return {f.name: getattr(record, f.name) for f in fields(record)}


def _ragged_fits(offsets: npt.NDArray[Any], values: npt.NDArray[Any], bound: int) -> bool:
    """Whether the offsets ascend from 0 to the number of values, and the values lie in [0, bound)."""
    if not len(offsets) or int(offsets[0]) or int(offsets[-1]) != len(values) or bool((np.diff(offsets) < 0).any()):
        return False
    return not len(values) or (int(values.min()) >= 0 and int(values.max()) < bound)
