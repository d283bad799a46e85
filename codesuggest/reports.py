"""Where a report of an operation says its diagnoses: features whose weight may differ there.

A visit note sums up under "Assessment". A report of an operation does so under the diagnoses before and after it, gives
the reason in an indication, and names organs and old operations in the description of what was done: a term said there
means less, one in a postoperative diagnosis more, and symptoms and status codes are billed less often. So some features
are repeated for these documents alone, as `mentions:...` repeats others where every mention is coded.
"""

from __future__ import annotations

#: The features that are repeated, by name; none that training overwrites or that rivals fill in.
REPORTED = (
    "match:assessment", "full:assessment", "match:reason", "full:reason", "match:findings", "full:findings",
    "match:procedure", "full:procedure", "match:none", "full:none", "match:repeated", "match:headline_whole",
    "code:unspecified", "chapter:R", "chapter:Z",
)  # fmt: skip
#: Their columns, behind one that says the document is such a report.
REPORT_FEATURES = ("report:document", *(f"report:{name}" for name in REPORTED))
