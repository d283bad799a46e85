"""The rules behind `codesuggest.guideline`: one module a family, and tables of facts beside them.

`registry` says what a rule is and turns what it finds into sentences; `said` is what a rule may ask of a note;
`tables` are the families' facts. What a rule says, how grave it is and on which section it rests stands in `rules.tsv`.
"""
