"""Phrases of our lists that documents of one group alone say: what a fresh hand would not write.

The lists of idioms were written by people who had read the training documents, so a phrase of one of them alone may stand in the
list because it stands there. A ranker that learns from these documents learns to expect our phrases; in documents by other hands
it finds fewer. So it learns from every document twice, the second time without the phrases that no other document says.

Cross-validated with those phrases gone, the 442 training notes measure what notes by fresh hands measure (at category and code,
and among 200 candidates alike), which leaving out folds alone does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from codesuggest.concepts import KINDS, Concepts
from codesuggest.retrieve import Hits

Bools = npt.NDArray[np.bool_]

#: Kinds of term that come from our lists.
_LISTED = [KINDS.index(kind) for kind in ("idiom", "abbreviation")]
SAID = 0.7  #: coverage from which a document counts as saying a phrase


def said_by_one(concepts: Concepts, documents: Iterable[tuple[str, Hits]]) -> Bools:
    """Terms of our lists that the documents of exactly one group say, bool (t,). documents: the group and the matches of each."""
    listed = np.isin(concepts.term_kind, _LISTED)
    said: dict[str, npt.NDArray[Any]] = {}
    for group, hits in documents:
        terms = np.unique(hits.term[(hits.coverage >= SAID) & listed[hits.term]])
        said[group] = np.union1d(said.get(group, terms), terms)
    groups = np.zeros(len(listed), np.int64)
    for terms in said.values():
        groups[terms] += 1
    return np.asarray(groups == 1)
