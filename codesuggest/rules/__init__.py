"""The rules behind `codesuggest.guideline`: one module a family, with its table of facts (`*.tsv`) beside it.

`registry` says what a rule is and turns what it finds into sentences; `said` is what a rule may ask of a note. What a
rule says, how grave it is and on which section it rests stands in `rules.tsv`.
"""
