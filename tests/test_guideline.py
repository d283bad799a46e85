"""The rules: examples in a coder's language, what they cite, and that they speak without touching anything.

The examples need the build packages for the real tables, the citations the official text (never shipped); what is
absent is skipped with a reason.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import NOTES, built
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codesuggest.codes import CodeRow, Note, Range
from codesuggest.codes.edits import Edits
from codesuggest.codes.system import CodeSystem
from codesuggest.errors import OptionError
from codesuggest.guideline import RULES_FILE, SETTINGS, SEVERITIES, Said, _suggested, check, check_codes, read_rules
from codesuggest.note import Reading
from codesuggest.pipes.lexicon import LexiconError
from codesuggest.records import ASSERTIONS, ClaimLine, Evidence, Finding, Suggestion
from codesuggest.rules.registry import Case, Encounter, findings
from codesuggest.suggester import CodeSuggester

DATA = Path(os.environ.get("CODESUGGEST_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
DATE = "2026-03-02"

# rule | fires or silent | setting | codes with the words they rest on
# A code is followed by its evidence in parentheses: assertion: words; assertion: words. "result" is a bare value. "~"
# marks a code that is listed but not suggested.
SUGGESTED = """
excludes1 | fires  | outpatient | E11.9 (affirmed: type 2 diabetes) + E10.9 (affirmed: T1DM)
excludes1 | fires  | outpatient | R73.9 (affirmed: hyperglycemia) + E11.9 (affirmed: type 2 diabetes)
excludes1 | fires  | inpatient  | K50.90 (affirmed: Crohn's) + K51.90 (affirmed: ulcerative colitis)
excludes1 | fires  | inpatient  | I10 (affirmed: HTN) + O10.911 (affirmed: chronic hypertension, first trimester)
excludes1 | fires  | outpatient | F32.A (affirmed: depression) + F31.9 (affirmed: bipolar disorder)
excludes1 | silent | outpatient | E11.9 (affirmed: type 2 diabetes) + ~E10.9 (affirmed: diabetes)
excludes1 | silent | outpatient | J45.909 (affirmed: asthma) + J44.9 (affirmed: COPD)
excludes1 | silent | inpatient  | I11.0 (affirmed: hypertensive heart failure) + I50.9 (affirmed: CHF)
excludes1 | silent | outpatient | E11.9 (affirmed: T2DM) + I10 (affirmed: HTN) + E78.5 (affirmed: HLD)
excludes1 | silent | outpatient | S01.01XA (affirmed: scalp laceration) + S02.0XXA (affirmed: closed vault fracture)

laterality_unspecified | fires  | outpatient | M25.569 (affirmed: knee pain)
laterality_unspecified | fires  | outpatient | H66.90 (affirmed: otitis media)
laterality_unspecified | fires  | inpatient  | S82.009A (affirmed: patella fracture)
laterality_unspecified | fires  | inpatient  | I69.359 (affirmed: hemiplegia after stroke)
laterality_unspecified | silent | outpatient | M25.561 (affirmed: right knee pain)
laterality_unspecified | silent | outpatient | ~M25.569 (affirmed: knee pain)
laterality_unspecified | silent | outpatient | J18.9 (affirmed: pneumonia)
laterality_unspecified | silent | inpatient  | M17.0 (affirmed: osteoarthritis of both knees)

uncertain | fires  | outpatient | J18.9 (uncertain: probable pneumonia)
uncertain | fires  | outpatient | I26.99 (uncertain: rule out PE; uncertain: possible PE)
uncertain | fires  | inpatient  | A41.9 (uncertain: suspected sepsis)
uncertain | fires  | inpatient  | U07.1 (uncertain: suspected COVID-19)
uncertain | fires  | inpatient  | J10.1 (uncertain: likely influenza A)
uncertain | fires  | inpatient  | B20 (uncertain: possible HIV)
uncertain | fires  | inpatient  | A92.5 (uncertain: suspected Zika)
uncertain | silent | outpatient | J18.9 (uncertain: probable pneumonia; affirmed: pneumonia, RLL)
uncertain | silent | outpatient | R05.9 (affirmed: cough) + ~J18.9 (uncertain: rule out pneumonia)
uncertain | silent | outpatient | Z20.822 (uncertain: possible exposure to COVID)
uncertain | silent | inpatient  | N17.9 (affirmed: AKI)
uncertain | silent | outpatient | Z03.6 (uncertain: suspected ingestion, ruled out)

historical | fires  | outpatient | C50.911 (historical: hx of breast cancer)
historical | fires  | outpatient | I10 (historical: history of hypertension)
historical | fires  | inpatient  | J18.9 (historical: had pneumonia in 2019; historical: prior pneumonia)
historical | fires  | inpatient  | C91.00 (historical: h/o ALL)
historical | silent | outpatient | Z85.3 (historical: hx of breast cancer)
historical | silent | outpatient | C50.911 (historical: hx of breast cancer; affirmed: right breast cancer on tamoxifen)
historical | silent | inpatient  | I25.2 (historical: MI in 2015)
historical | silent | outpatient | Z95.1 (historical: s/p CABG)
historical | silent | outpatient | F10.21 (historical: alcohol dependence, sober 4 years)
historical | silent | inpatient  | I69.351 (historical: stroke in 2020 with right weakness)
historical | silent | inpatient  | ~J18.9 (historical: had pneumonia in 2019)

result_only | fires  | inpatient  | ~E87.5 (result: K 6.1)
result_only | fires  | outpatient | ~D64.9 (result: Hgb 7.9 L; result: Hct 24 L)
result_only | fires  | inpatient  | N17.9 (result: creatinine 3.2)
result_only | silent | inpatient  | E87.5 (result: K 6.1; affirmed: hyperkalemia)
result_only | silent | outpatient | D64.9 (affirmed: anemia)
result_only | silent | inpatient  | ~E87.1 (uncertain: possible hyponatremia)
"""

# rule | fires or silent | setting | codes as a person typed them, in claim order
# A system other than ICD-10-CM goes before ":", units follow "*", a modifier "+", a present-on-admission indicator "/".
# After the codes may come @ and a date, age=, and "edits" where payers' tables are loaded (see `edits` below).
CLAIMED = """
duplicate | fires  | outpatient | E11.9 E11.9
duplicate | fires  | outpatient | M19.90 I10 m1990
duplicate | fires  | inpatient  | J18.9 N17.9 J18.9 J18.9
duplicate | silent | outpatient | E11.9 I10
duplicate | silent | outpatient | M25.561 M25.562
duplicate | silent | outpatient | hcpcs:J1100 hcpcs:J1100

not_billable | fires  | outpatient | E11
not_billable | fires  | outpatient | S72.001
not_billable | fires  | inpatient  | S01.01A
not_billable | fires  | inpatient  | E11.99
not_billable | fires  | inpatient  | E11
not_billable | fires  | inpatient  | icd10cm:R10
not_billable | fires  | outpatient | diabetes
not_billable | fires  | outpatient | hcpcs:J9
not_billable | silent | outpatient | E11.9
not_billable | silent | inpatient  | S72.001A
not_billable | silent | outpatient | e1122
not_billable | silent | outpatient | I10

not_valid_on_date | fires  | outpatient | C78.31
not_valid_on_date | fires  | outpatient | I10 @2014-03-02
not_valid_on_date | fires  | inpatient  | S30.1XXA @2025-10-01
not_valid_on_date | silent | inpatient  | C78.31 @2026-10-01
not_valid_on_date | silent | inpatient  | I42.0 @2026-09-30
not_billable      | fires  | inpatient  | I42.0 @2026-10-01
not_billable      | fires  | outpatient | G35 @2025-10-01
not_billable      | silent | outpatient | G35 @2025-09-30
not_valid_on_date | silent | outpatient | I10
not_valid_on_date | silent | outpatient | E11

excludes1 | fires  | outpatient | E10.9 E11.9
excludes1 | fires  | outpatient | r739 I10 e119
excludes1 | fires  | inpatient  | M54.50 M51.26
excludes1 | silent | outpatient | E11.9 I10
excludes1 | silent | outpatient | J45.909 J44.9
excludes1 | silent | inpatient  | E11.9 nothing

laterality_unspecified | fires  | outpatient | M25.569
laterality_unspecified | fires  | inpatient  | T25.219A
laterality_unspecified | fires  | outpatient | M25.569 M25.561
laterality_unspecified | silent | outpatient | M25.562
laterality_unspecified | silent | outpatient | S82.009
laterality_unspecified | silent | outpatient | M54.50

abnormal_finding | fires  | inpatient  | N17.9 R74.01
abnormal_finding | fires  | inpatient  | J18.9 R91.8
abnormal_finding | fires  | inpatient  | R94.31
abnormal_finding | silent | outpatient | R94.31
abnormal_finding | silent | inpatient  | A41.9 R78.81
abnormal_finding | silent | inpatient  | R07.9

acute_chronic | fires  | outpatient | J32.9 J01.90
acute_chronic | fires  | inpatient  | K86.1 K85.90
acute_chronic | fires  | outpatient | I10 N30.20 N30.00
acute_chronic | silent | outpatient | J01.90 J32.9
acute_chronic | silent | inpatient  | K85.90 I10
acute_chronic | silent | inpatient  | I82.401 I82.502

aftercare_of_injury | fires  | outpatient | Z47.89 S72.001D
aftercare_of_injury | fires  | outpatient | Z48.00 S01.01XD
aftercare_of_injury | fires  | inpatient  | S82.001D Z47.2
aftercare_of_injury | silent | outpatient | Z47.1 Z96.651
aftercare_of_injury | silent | outpatient | S72.001D
aftercare_of_injury | silent | outpatient | Z48.812 Z95.1 S01.01XD

age | fires  | inpatient  | Z38.00 age=30
age | fires  | inpatient  | O80 Z37.0 age=70
age | fires  | outpatient | N40.0 age=10
age | fires  | outpatient | Z00.129 age=45
age | fires  | inpatient  | I25.10 age=9 edits
age | silent | inpatient  | Z38.00 age=0
age | silent | inpatient  | O80 Z37.0 age=29
age | silent | outpatient | N40.0 age=70
age | silent | inpatient  | O80 Z37.0
age | silent | inpatient  | I25.10 age=9

bilateral | fires  | outpatient | M17.11 M17.12
bilateral | fires  | outpatient | H66.92 I10 H66.91
bilateral | fires  | outpatient | H25.11 H25.12
bilateral | silent | outpatient | M25.561 M25.562
bilateral | silent | outpatient | M17.0
bilateral | silent | outpatient | M17.11 M16.12
bilateral | silent | inpatient  | S72.001A S72.002A

burn_order | fires  | inpatient  | T22.111A T24.311A
burn_order | fires  | inpatient  | T23.201A T24.311A
burn_order | fires  | outpatient | T22.111A T23.201A
burn_order | silent | inpatient  | T24.311A T22.111A
burn_order | silent | outpatient | T22.111A I10
burn_order | silent | outpatient | T24.311S T24.311A

code_first | fires  | outpatient | F02.80 G30.9
code_first | fires  | inpatient  | N18.6 E11.22
code_first | fires  | outpatient | D63.1 N18.30
code_first | silent | outpatient | G30.9 F02.80
code_first | silent | inpatient  | E11.22 N18.6
code_first | silent | inpatient  | I10 N18.30
code_first | silent | outpatient | O24.410 Z3A.29 O99.013

code_first_missing | fires  | outpatient | F02.80
code_first_missing | fires  | outpatient | R20.2 G63
code_first_missing | fires  | inpatient  | Z79.899 F02.80 R41.3
code_first_missing | silent | outpatient | G30.9 F02.80
code_first_missing | silent | outpatient | E85.4 G63
code_first_missing | silent | outpatient | R30.0 B96.20

combination | fires  | outpatient | I10 I50.9
combination | fires  | outpatient | N18.30 I10
combination | fires  | inpatient  | I10 I50.9 N18.4
combination | fires  | outpatient | E11.9 N18.30
combination | fires  | outpatient | E10.65 K31.84
combination | fires  | inpatient  | J96.01 J96.11
combination | fires  | inpatient  | I25.10 I20.0
combination | silent | outpatient | I11.0 I50.9
combination | silent | inpatient  | I10 N17.9
combination | silent | outpatient | E11.22 N18.30
combination | silent | inpatient  | I13.0 I50.9 N18.30
combination | silent | outpatient | E11.51 I70.209
combination | silent | outpatient | E11.9 I10

companion_missing | fires  | outpatient | I11.0
companion_missing | fires  | outpatient | E11.22 I10
companion_missing | fires  | outpatient | I12.9
companion_missing | fires  | inpatient  | R65.20 N17.9
companion_missing | fires  | inpatient  | O80
companion_missing | fires  | outpatient | E11.621
companion_missing | fires  | inpatient  | J44.0 Z99.81
companion_missing | fires  | inpatient  | R65.21
companion_missing | silent | outpatient | I11.0 I50.9
companion_missing | silent | outpatient | E11.22 N18.30
companion_missing | silent | inpatient  | A41.9 R65.20 N17.9
companion_missing | silent | inpatient  | O80 Z37.0

external_cause_first | fires  | inpatient  | W01.0XXA S72.001A
external_cause_first | fires  | outpatient | Y92.010
external_cause_first | fires  | outpatient | v4352xa S13.4XXA
external_cause_first | silent | inpatient  | S72.001A W01.0XXA
external_cause_first | silent | outpatient | Z23
external_cause_first | silent | outpatient | Wrong

external_cause_once | fires  | outpatient | S01.01XA W19.XXXA Y92.010 Y92.013
external_cause_once | fires  | outpatient | S93.401A Y93.01 Y93.66
external_cause_once | fires  | outpatient | S61.211A Y99.0 Y99.8
external_cause_once | silent | outpatient | S93.401A Y93.66 Y92.310 Y99.8
external_cause_once | silent | outpatient | S01.01XA W01.190A W22.8XXA
external_cause_once | silent | outpatient | S01.01XA Y92.010 Y92.010

external_cause_seventh | fires  | outpatient | S72.001D W01.0XXA
external_cause_seventh | fires  | outpatient | S01.01XA W19.XXXD
external_cause_seventh | fires  | outpatient | L90.5 S01.01XS W26.0XXA
external_cause_seventh | silent | inpatient  | S72.001B W01.0XXA
external_cause_seventh | silent | inpatient  | M80.051A W01.0XXA
external_cause_seventh | silent | outpatient | I21.4 X50.0XXA
external_cause_seventh | silent | outpatient | S72.001G W01.0XXD

first_listed_only | fires  | outpatient | I10 Z00.00
first_listed_only | fires  | outpatient | Z23 Z00.129
first_listed_only | fires  | outpatient | C50.911 Z51.11
first_listed_only | silent | outpatient | Z00.00 I10
first_listed_only | silent | outpatient | I10 Z00.6
first_listed_only | silent | outpatient | K21.9 Z12.11

history_and_current | fires  | outpatient | Z85.3 C50.911
history_and_current | fires  | outpatient | C61 Z85.46
history_and_current | fires  | inpatient  | I82.401 Z86.718
history_and_current | silent | outpatient | C61 Z85.3
history_and_current | silent | outpatient | Z85.3
history_and_current | silent | outpatient | C50.911 Z80.3

integral_symptom | fires  | outpatient | J18.9 R05.9
integral_symptom | fires  | inpatient  | I21.4 R07.9
integral_symptom | fires  | outpatient | R30.0 N39.0
integral_symptom | fires  | outpatient | M25.561 M17.11
integral_symptom | silent | outpatient | R05.9 I10
integral_symptom | silent | outpatient | J18.9
integral_symptom | silent | inpatient  | I10 R07.9

symptom_first | fires  | outpatient | R05.9 J18.9
symptom_first | fires  | inpatient  | R10.31 K35.80
symptom_first | fires  | inpatient  | R50.9 A41.9
symptom_first | silent | outpatient | J18.9 R05.9
symptom_first | silent | outpatient | R05.9 I10
symptom_first | silent | outpatient | M25.561 M17.11

manifestation_first | fires  | outpatient | F02.80 G30.9
manifestation_first | fires  | outpatient | G63
manifestation_first | fires  | inpatient  | D63.1 N18.6
manifestation_first | fires  | inpatient  | K82.A1 K81.0 edits
manifestation_first | silent | outpatient | G30.9 F02.80
manifestation_first | silent | outpatient | B96.20 N39.0
manifestation_first | silent | inpatient  | K82.A1 K81.0
manifestation_first | silent | inpatient  | N18.6 D63.1

mother_and_newborn | fires  | inpatient  | O80 Z37.0 Z38.00
mother_and_newborn | fires  | inpatient  | Z38.00 P07.39 O99.824
mother_and_newborn | fires  | inpatient  | O24.420 P70.0
mother_and_newborn | silent | inpatient  | Z38.00 P07.39
mother_and_newborn | silent | inpatient  | O80 Z37.0
mother_and_newborn | silent | outpatient | P07.39 I10

mue | fires  | outpatient | hcpcs:J1100*9 edits
mue | fires  | outpatient | hcpcs:J1100*3 hcpcs:J1100*3 edits
mue | fires  | outpatient | hcpcs:J1200*2 edits
mue | silent | outpatient | hcpcs:J1100*4 edits
mue | silent | outpatient | hcpcs:J1200 hcpcs:J1200 edits
mue | silent | outpatient | hcpcs:J1300*99 edits

nonspecific | fires  | inpatient  | I10 Z86.59
nonspecific | fires  | inpatient  | I10 Z88.9
nonspecific | fires  | inpatient  | Z92.0
nonspecific | silent | outpatient | I10 Z86.59
nonspecific | silent | inpatient  | I63.9 Z86.73
nonspecific | silent | inpatient  | J18.9 Z88.0

not_checked | fires  | inpatient  | I10
not_checked | fires  | inpatient  | I10/Y
not_checked | fires  | outpatient | hcpcs:J1100 hcpcs:J1200
not_checked | fires  | outpatient | hcpcs:J1100*2
not_checked | fires  | outpatient | cpt:0000X
not_checked | silent | outpatient | I10
not_checked | silent | inpatient  | I10/Y edits
not_checked | silent | outpatient | hcpcs:J1100*2 hcpcs:J1200 edits
not_checked | silent | outpatient | hcpcs:J1100

not_together | fires  | outpatient | E11.9 E11.65
not_together | fires  | outpatient | I48.91 I48.0
not_together | fires  | inpatient  | O80 O70.1 Z37.0
not_together | fires  | inpatient  | R65.10 R65.20
not_together | fires  | outpatient | T86.11 Z94.0
not_together | fires  | outpatient | O24.410 Z79.4
not_together | fires  | outpatient | O24.410 O24.111
not_together | fires  | inpatient  | O80 Z37.2
not_together | fires  | outpatient | Z43.3 Z93.3
not_together | silent | outpatient | E11.22 E11.65
not_together | silent | outpatient | I48.0 I48.20
not_together | silent | inpatient  | O80 Z37.0
not_together | silent | outpatient | E10.65 E11.9

obstetric_first | fires  | outpatient | D64.9 O99.013
obstetric_first | fires  | outpatient | Z3A.29 O24.410
obstetric_first | fires  | inpatient  | J18.9 O99.512
obstetric_first | silent | outpatient | O99.013 D64.9
obstetric_first | silent | outpatient | Z36.3 O44.42
obstetric_first | silent | outpatient | I10

perinatal_first | fires  | inpatient  | P07.39 Z38.00
perinatal_first | fires  | inpatient  | Q21.0 Z38.01
perinatal_first | fires  | inpatient  | P59.9 P07.39 Z38.00
perinatal_first | silent | inpatient  | Z38.00 P07.39
perinatal_first | silent | inpatient  | P07.39
perinatal_first | silent | inpatient  | O80 Z37.0

poa | fires  | inpatient  | I10/Q edits
poa | fires  | inpatient  | I10/Y Z79.4/Y edits
poa | fires  | inpatient  | I10/Y E11.9 edits
poa | fires  | inpatient  | I10/Q
poa | silent | inpatient  | I10/Y Z79.4 edits
poa | silent | inpatient  | I10 E11.9 edits
poa | silent | outpatient | I10/Y Z79.4/Y edits
poa | silent | inpatient  | I10/y E11.9/N J18.9/U N17.9/W edits

poisoning_order | fires  | inpatient  | J96.01 T40.2X1A
poisoning_order | fires  | outpatient | R11.2 T39.1X2A
poisoning_order | fires  | outpatient | R55 T58.01XA
poisoning_order | silent | inpatient  | T40.2X1A J96.01
poisoning_order | silent | inpatient  | K26.4 T39.395A
poisoning_order | silent | outpatient | G62.0 T40.2X1S
poisoning_order | silent | inpatient  | O9A.212 T40.2X1A

procedure_setting | fires  | outpatient | icd10pcs:0DTJ4ZZ
procedure_setting | fires  | outpatient | K35.80 icd10pcs:0DTJ4ZZ
procedure_setting | fires  | outpatient | icd10pcs:0SR90JZ M16.11
procedure_setting | silent | inpatient  | icd10pcs:0DTJ4ZZ
procedure_setting | silent | outpatient | hcpcs:J1100
procedure_setting | silent | outpatient | K35.80

ptp | fires  | outpatient | hcpcs:J1100 hcpcs:J1200 edits
ptp | fires  | outpatient | hcpcs:J1300 hcpcs:J1100 edits
ptp | fires  | outpatient | hcpcs:J1100+25 hcpcs:J1200 edits
ptp | silent | outpatient | hcpcs:J1300+59 hcpcs:J1100 edits
ptp | silent | outpatient | hcpcs:J1200 hcpcs:J1300 edits
ptp | silent | outpatient | hcpcs:J1100 hcpcs:J1200 edits @2019-01-01
ptp | silent | outpatient | hcpcs:J1100 hcpcs:J1200

secondary_only | fires  | outpatient | Z68.36 E66.9
secondary_only | fires  | inpatient  | R65.21 A41.9
secondary_only | fires  | inpatient  | Z59.00 J18.9
secondary_only | fires  | outpatient | T38.3X6A E11.65
secondary_only | fires  | outpatient | T45.1X5A D64.81
secondary_only | fires  | outpatient | B96.20 N39.0
secondary_only | fires  | outpatient | Z79.4 E11.9
secondary_only | silent | outpatient | E66.9 Z68.36
secondary_only | silent | inpatient  | A41.9 R65.21
secondary_only | silent | outpatient | Z23
secondary_only | silent | outpatient | E11.65 T38.3X6A

sequela_and_acute | fires  | outpatient | S72.001S S72.001A
sequela_and_acute | fires  | outpatient | M21.751 S82.001S S82.001D
sequela_and_acute | fires  | outpatient | S06.0X0A S06.0X0S
sequela_and_acute | silent | outpatient | T24.311A T24.311S
sequela_and_acute | silent | outpatient | S72.001A S72.002S
sequela_and_acute | silent | outpatient | L90.5 S01.01XS

sequela_order | fires  | outpatient | S72.001S M21.751
sequela_order | fires  | outpatient | T24.311S L90.5
sequela_order | fires  | outpatient | S01.01XS
sequela_order | fires  | outpatient | O94
sequela_order | silent | outpatient | L90.5 T24.311S
sequela_order | silent | outpatient | S72.001A
sequela_order | silent | outpatient | I69.351

trimester | fires  | outpatient | O99.013 Z3A.10
trimester | fires  | outpatient | O26.891 Z3A.30
trimester | fires  | outpatient | O10.919 Z3A.20
trimester | silent | outpatient | O99.013 Z3A.28
trimester | silent | outpatient | O99.012 Z3A.14
trimester | silent | outpatient | O24.410 Z3A.29
trimester | silent | outpatient | O99.013

unacceptable_principal | fires  | inpatient  | Z23 I10 edits
unacceptable_principal | fires  | inpatient  | Z80.3 edits
unacceptable_principal | fires  | inpatient  | Z51.89 edits
unacceptable_principal | silent | inpatient  | Z51.89 I10 edits
unacceptable_principal | silent | outpatient | Z23 edits
unacceptable_principal | silent | inpatient  | J18.9 Z23 edits
unacceptable_principal | silent | inpatient  | Z23

use_additional | fires  | outpatient | Z79.4 E11.9
use_additional | fires  | outpatient | B96.20 N39.0
use_additional | fires  | outpatient | F17.210 J44.9
use_additional | silent | outpatient | E11.9 Z79.4
use_additional | silent | outpatient | N39.0 B96.20
use_additional | silent | outpatient | F02.80 G30.9
"""

# rule | fires or silent | setting, and document type where it matters | codes, each with its words | the note
# "~": listed by the library, not among the codes. "" after ":" is the place of a section: "Allergies: ..." is a line.
NOTED = r"""
additional_documented | fires  | outpatient | J44.9 {COPD} + ~F17.210 {smokes a pack a day} | COPD, stable. He smokes a pack a day.
additional_documented | fires  | outpatient | N39.0 {UTI} + ~B96.20 {E. coli} | UTI. Culture grew E. coli.
additional_documented | fires  | outpatient | E11.9 {Type 2 diabetes} + ~Z79.84 {metformin} | Type 2 diabetes on metformin.
additional_documented | fires  | inpatient  | I21.4 {NSTEMI} + ~I10 {hypertension} | NSTEMI. Essential hypertension.
additional_documented | silent | outpatient | J44.9 {COPD} + F17.210 {smokes a pack a day} | COPD, stable. He smokes a pack a day.
additional_documented | silent | outpatient | J44.9 {COPD} + ~Z87.891 {quit smoking} | COPD. He quit smoking in 2010.
additional_documented | silent | outpatient | J44.9 {COPD} + ~M17.11 {right knee arthritis} | COPD, right knee arthritis.
additional_documented | silent | outpatient | J44.9 {COPD} + ~F17.210 {smoking} | COPD. Denies smoking.
additional_documented | silent | inpatient  | I21.4 {NSTEMI} + ~I1A.0 {Other hypertension} | NSTEMI. Other hypertension.

combination | fires  | outpatient | I10 {hypertension} + N18.30 {CKD} | Hypertension. CKD stage 3.
combination | silent | outpatient | I10 {hypertension} + N18.30 {CKD} | Hypertension. CKD stage 3, unrelated to it.
combination | silent | outpatient | E11.9 {T2DM} + N18.30 {CKD} | T2DM. Nondiabetic CKD stage 3 from reflux.

laterality_conflict | fires  | outpatient | M25.561 {knee pain} | Left knee pain for two weeks.
laterality_conflict | fires  | outpatient | H66.91 {otitis media} | Acute otitis media of the left ear.
laterality_conflict | fires  | inpatient  | S72.002A {hip fracture} | Assessment: right hip fracture after a fall.
laterality_conflict | fires  | inpatient  | M17.11 {Right knee OA; Left knee} | Assessment: Right knee OA.\nImpression: Left knee.
laterality_conflict | silent | outpatient | M25.562 {knee pain} | Left knee pain for two weeks.
laterality_conflict | silent | outpatient | M25.561 {knee pain} | Knee pain for two weeks.
laterality_conflict | silent | outpatient | M25.561 {knee pain} | Right knee pain, worse than on the left.
laterality_conflict | silent | outpatient | M25.569 {knee pain} | Left knee pain for two weeks.

long_term_drug | fires  | outpatient | E11.9 {Type 2 diabetes} | Type 2 diabetes. She takes metformin twice a day.
long_term_drug | fires  | outpatient | E11.65 {T2DM} | T2DM with hyperglycemia, on Lantus 20 units at night.
long_term_drug | fires  | outpatient | E11.9 {Type 2 diabetes} + Z79.84 {metformin} | Type 2 diabetes on metformin and Ozempic.
long_term_drug | silent | outpatient | E11.9 {Type 2 diabetes} + Z79.84 {metformin} | Type 2 diabetes on metformin.
long_term_drug | silent | outpatient | E10.9 {Type 1 diabetes} | Type 1 diabetes on an insulin pump.
long_term_drug | silent | outpatient | E11.9 {Type 2 diabetes} | Type 2 diabetes, diet controlled.\nAllergies: metformin
long_term_drug | silent | outpatient | I10 {hypertension} | Hypertension. Metformin for polycystic ovaries.
long_term_drug | silent | outpatient | E11.9 {Type 2 diabetes} | Type 2 diabetes. She does not take insulin.

seventh_character | fires  | outpatient | S01.01XA {scalp cut} | Reason for visit: suture removal.\nAssessment: scalp cut.
seventh_character | fires  | outpatient | S52.501A {radius fracture} | Right radius fracture, healing well in the cast.
seventh_character | fires  | outpatient ed_note | S93.401D {ankle sprain} | Right ankle sprain today while running.
seventh_character | fires  | outpatient | S72.001S {hip fracture} | Hip fracture of the right side.
seventh_character | silent | outpatient | S01.01XA {scalp laceration} | Scalp laceration, repaired today. Return in a week.
seventh_character | silent | outpatient | S52.501D {radius fracture} | Right radius fracture, healing well in the cast.
seventh_character | silent | outpatient ed_note | S93.401A {ankle sprain} | Right ankle sprain today. Follow up with your doctor.
seventh_character | silent | outpatient | S72.001S {hip fracture} | Limp as a sequela of the right hip fracture.

unspecified_documented | fires  | outpatient | M25.569 {knee pain} | Left knee pain for two weeks.
unspecified_documented | fires  | inpatient  | I50.9 {heart failure} | Systolic heart failure, on furosemide.
unspecified_documented | fires  | outpatient | N18.9 {CKD} | CKD stage 4, stable.
unspecified_documented | fires  | outpatient | J45.909 {asthma} | Mild persistent asthma.
unspecified_documented | fires  | outpatient | O26.90 {Pregnancy related condition} | Pregnancy related condition, third trimester.
unspecified_documented | fires  | outpatient | I48.91 {atrial fibrillation} | Paroxysmal atrial fibrillation.
unspecified_documented | silent | outpatient | M25.569 {knee pain} | Knee pain for two weeks.
unspecified_documented | silent | outpatient | M25.569 {knee pain} | Pain of the left and the right side. Knee pain.
unspecified_documented | silent | outpatient | I48.91 {AF} + I48.0 {Paroxysmal AF} | Paroxysmal AF.
unspecified_documented | silent | inpatient  | I50.22 {heart failure} | Chronic systolic heart failure.
unspecified_documented | silent | outpatient | N13.30 {hydronephrosis} | Left hydronephrosis and hydroureter.
"""

_ONE = re.compile(r"(~?)([A-Z0-9.]+) \(([^()]+)\)")


def examples(block: str) -> Iterator[tuple[str, bool, str, str]]:
    for line in block.split("\n"):
        if line and not line.startswith("#"):
            rule, fires, setting, codes = (part.strip() for part in line.split("|"))
            assert fires in ("fires", "silent") and setting in ("inpatient", "outpatient"), line
            yield rule, fires == "fires", setting, codes


def noted() -> Iterator[tuple[str, bool, str, str, str]]:
    for line in filter(None, NOTED.split("\n")):
        rule, fires, setting, codes, note = (part.strip() for part in line.split("|"))
        assert fires in ("fires", "silent"), line
        yield rule, fires == "fires", setting, codes, note.replace(r"\n", "\n")


_CODE = re.compile(r"(?:(\w+):)?([\w.]+)(?:\*(\d+))?(?:\+(\w\w))?(?:/(\w))?")


def claim_of(text: str) -> tuple[list[ClaimLine], dict[str, Any]]:
    """The lines and options of an example of CLAIMED."""
    lines, options = [], {"service_date": DATE}
    for word in text.split():
        if word.startswith("@"):
            options["service_date"] = word[1:]
        elif word.startswith("age="):
            options["age"] = int(word[4:])
        elif word == "edits":
            options["edits"] = EDITS
        else:
            found = _CODE.fullmatch(word)
            assert found, f"malformed example: {word}"
            system, code, units, modifier, poa = found.groups()
            line = ClaimLine(
                system or "icd10cm", code, int(units) if units else None, (modifier,) if modifier else (), poa
            )
            lines.append(line)
    return lines, options


@dataclass(frozen=True)
class Mce:
    manifestation: frozenset[str] = frozenset(("K82A1",))
    unacceptable_principal: frozenset[str] = frozenset(("Z23", "Z803"))
    unacceptable_unless_secondary: frozenset[str] | None = frozenset(("Z5189",))
    newborn: frozenset[str] = frozenset()
    pediatric: frozenset[str] = frozenset()
    maternity: frozenset[str] = frozenset()
    adult: frozenset[str] = frozenset(("I2510",))


@dataclass(frozen=True)
class PtpEdit:
    column1: str
    column2: str
    modifier: int


class Ptp:
    """Invented pairs, in force from 2020 on: J1100 includes J1200 whatever is said, and J1300 with a modifier."""

    def edit(self, first: str, second: str, day: int) -> PtpEdit | None:
        found = {("J1100", "J1200"): 0, ("J1100", "J1300"): 1}.get((min(first, second), max(first, second)))
        return PtpEdit(min(first, second), max(first, second), found) if found is not None and day >= 20200101 else None


@dataclass(frozen=True)
class MueLimit:
    units: int
    adjudication: int


class Mue:
    """Invented limits: J1100 four a day, J1200 one a line."""

    def limit(self, code: str) -> MueLimit | None:
        return {"J1100": MueLimit(4, 3), "J1200": MueLimit(1, 1)}.get(code)


#: What a user has loaded, invented.
EDITS = Edits(poa_exempt=frozenset(("Z794",)), mce=Mce(), ptp=Ptp(), mue=Mue())


def suggestions_of(codes: str, icd: CodeSystem) -> list[Suggestion]:
    out, at = [], 0
    for part in codes.split(" + "):
        found = _ONE.fullmatch(part)
        assert found, f"malformed example: {part}"
        spans = []
        for words in found[3].split("; "):
            kind, text = words.split(": ")
            assert kind in (*ASSERTIONS, "result"), f"malformed example: {words}"
            basis, assertion = ("result", "affirmed") if kind == "result" else ("text", kind)
            spans.append(Evidence(at, at + len(text), None, assertion, text, basis))
            at += len(text) + 1
        code = icd[found[2]]
        assert code.billable, f"malformed example: {code.code} is a heading"
        out.append(suggestion(code.code, code.display, *spans, suggested=not found[1]))
    return out


def suggestion(code: str, display: str, *evidence: Evidence, suggested: bool = True) -> Suggestion:
    return Suggestion("icd10cm", "2026-04-01", code, display, 0.6, suggested, 0.4, 0.4, {}, evidence)


@pytest.fixture(scope="session")
def icd() -> CodeSystem:
    return built("icd10cm")


@pytest.fixture(scope="session")
def systems(icd: CodeSystem) -> Mapping[str, CodeSystem]:
    rows = [CodeRow("J9", "Invented drugs", False), CodeRow("J1100", "Invented injection", True),
            CodeRow("J1200", "Invented infusion", True), CodeRow("J1300", "Invented supply", True)]  # fmt: skip
    return {"icd10cm": icd, "hcpcs": CodeSystem.from_rows(rows, name="hcpcs", release="2026-04-01")}


def spells(row: tuple[object, ...]) -> str:
    return " ".join(str(cell) for cell in row)


@pytest.mark.parametrize("row", list(examples(SUGGESTED)), ids=spells)
def test_suggestions(row: tuple[str, bool, str, str], systems: Mapping[str, CodeSystem]) -> None:
    rule, fires, setting, codes = row
    given_ = suggestions_of(codes, systems["icd10cm"])
    found = check(given_, systems, setting=setting, service_date=DATE, document_type=None, age=64, sex=None)
    assert (rule in [f.rule for f in found]) is fires
    spans = {(e.start, e.end) for s in given_ for e in s.evidence}
    assert all(f.evidence and set(f.evidence) <= spans for f in found)


@pytest.mark.parametrize("row", list(examples(CLAIMED)), ids=spells)
def test_claims(row: tuple[str, bool, str, str], systems: Mapping[str, CodeSystem]) -> None:
    rule, fires, setting, codes = row
    lines, options = claim_of(codes)
    found = check_codes(lines, systems, setting=setting, **options)
    assert (rule in [f.rule for f in found]) is fires


def documented(codes: str, note: str, reading: Reading, icd: CodeSystem) -> list[Suggestion]:
    """The suggestions of an example of NOTED, with the assertions that our reading gives their words."""
    out = []
    for part in codes.split(" + "):
        found = re.fullmatch(r"(~?)([A-Z0-9.]+) \{([^{}]+)\}", part)
        assert found, f"malformed example: {part}"
        spans = []
        for words in found[3].split("; "):
            at = note.lower().find(words.lower())
            assert at >= 0, f"malformed example: {words}"
            k = int(np.searchsorted(reading.words.start, at))
            status = ASSERTIONS[int(reading.status[reading.segment_of_word[k]])]
            spans.append(Evidence(at, at + len(words), None, status, words))
        code = icd[found[2]]
        out.append(suggestion(code.code, code.display, *spans, suggested=not found[1]))
    return out


@pytest.mark.parametrize("row", list(noted()), ids=spells)
def test_notes(row: tuple[str, bool, str, str, str], systems: Mapping[str, CodeSystem], starter: CodeSuggester) -> None:
    """The same over suggestions and over a claim of the suggested codes that is checked with its note."""
    rule, fires, place, codes, note = row
    setting, _, kind = place.partition(" ")
    reading = starter.reader.read(note)
    given_ = documented(codes, note, reading, systems["icd10cm"])
    said = Said(reading, starter.reader.forms_of)
    options: dict[str, Any] = {"setting": setting, "service_date": DATE, "document_type": kind or None, "said": said}
    found = check(given_, systems, **options)
    assert (rule in [f.rule for f in found]) is fires
    lines = [ClaimLine("icd10cm", s.code) for s in given_ if s.suggested]
    claimed = check_codes(lines, systems, listed=given_, **options)
    assert (rule in [f.rule for f in claimed]) is fires
    words = set(range(len(note)))
    assert all(a in words and b - 1 in words for f in found for a, b in f.evidence)


def every_example() -> Iterator[tuple[str, bool]]:
    for rule, fires, *_ in itertools.chain(examples(SUGGESTED), examples(CLAIMED), noted()):
        yield rule, fires


#: Rules whose examples stand in a test of their own: `test_rules_procedure.py`.
ELSEWHERE = {"pcs_axis_undocumented"}


def test_three_examples_of_each_kind_for_each_rule() -> None:
    rows = list(every_example())
    rules = {text.rule for text in read_rules()} - ELSEWHERE
    assert {rule for rule, _ in rows} == rules
    few = {rule for rule in rules if min(rows.count((rule, True)), rows.count((rule, False))) < 3}
    assert few == set()


def test_every_sentence_is_spoken(systems: Mapping[str, CodeSystem], starter: CodeSuggester) -> None:
    """A row of the table that no example reaches is a row that nobody has read."""
    said = {(f.rule, f.source, f.severity) for f in all_findings(systems, starter)}
    rows = {(t.rule, t.authority, t.severity) for t in read_rules() if t.rule not in ELSEWHERE}
    # a code that only a site's documents write is in no table these examples could name: see test_site
    assert rows - said == {("not_billable", "codesuggest site codes", "warning")}


def all_findings(systems: Mapping[str, CodeSystem], starter: CodeSuggester) -> list[Finding]:
    out: list[Finding] = []
    for _, _, setting, codes in examples(SUGGESTED):
        out += check(suggestions_of(codes, systems["icd10cm"]), systems, setting=setting, service_date=DATE)
    for _, _, setting, codes in examples(CLAIMED):
        lines, options = claim_of(codes)
        out += check_codes(lines, systems, setting=setting, **options)
    for _, _, place, codes, note in noted():
        setting, _, kind = place.partition(" ")
        reading = starter.reader.read(note)
        given_ = documented(codes, note, reading, systems["icd10cm"])
        said = Said(reading, starter.reader.forms_of)
        out += check(given_, systems, setting=setting, service_date=DATE, document_type=kind or None, said=said)
    return out


def test_messages_are_one_sentence_without_note_text(systems: Mapping[str, CodeSystem], starter: CodeSuggester) -> None:
    found = all_findings(systems, starter)
    words = {w.partition(": ")[2] for m in _ONE.finditer(SUGGESTED) for w in m[3].split("; ")}
    for f in found:
        bare = re.sub(r'\([^()]*\)|"[^"]*"', "", f.message)
        assert f.message.endswith(".") and ". " not in bare and "{" not in f.message and "  " not in f.message
        assert f.codes and f.section and f.severity in SEVERITIES
        assert f.source.endswith(f" {f.section}, FY{f.fiscal_year}" if f.fiscal_year else f" {f.section}")
        assert all(code in f.message for code in f.codes[:1])
    # single words ("pneumonia") stand in titles; phrases as a clinician wrote them must not
    said = [w for w in words if w not in ("CHF",) and not any(w.lower() in f.message.lower() for f in found)]
    assert {"probable pneumonia", "K 6.1", "hx of breast cancer", "rule out PE"} <= set(said)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ("E10.9 E11.9", 'Excludes1 note "type 2 diabetes mellitus (E11.-)" at E10 and "type 1 diabetes'),
        ("R73.9 E11.9", 'Excludes1 note "diabetes mellitus (E08-E13)" at R73: report one of them, unless'),
        ("M25.569", "code M25.561 or M25.562."),
        ("G81.90", "code G81.91, G81.92, G81.93 or G81.94."),
        ("E11", "as in E11.0, E11.1 or E11.2."),
        ("S72.001", "invalid without its 7th character, as in S72.001A, S72.001B or S72.001C."),
        ("S01.01A", "the placeholder X that brings its last character to the 7th place: S01.01XA."),
        ("E11.9 E119 e11.9", "E11.9 (Type 2 diabetes mellitus without complications) is listed 3 times"),
        ("C78.31", "it is valid from 2026-10-01."),
    ],
)
def test_what_is_said(codes: str, message: str, systems: Mapping[str, CodeSystem]) -> None:
    pairs = [("icd10cm", c) for c in codes.split()]
    found = check_codes(pairs, systems, setting="outpatient", service_date=DATE)
    assert sum(message in f.message for f in found) == 1


def test_manifestations_are_those_of_the_medicare_code_editor(systems: Mapping[str, CodeSystem]) -> None:
    """Nothing is called a manifestation that the official list does not have; most of the list is found without it."""
    path = DATA / "official" / "rules" / "mce_edits.json"
    if not path.exists():
        pytest.skip("the Medicare Code Editor's lists are not among the reference data")
    listed = {row["code"] for row in json.loads(path.read_bytes())["codes"]["manifestation_not_pdx"]}
    icd = systems["icd10cm"]
    found = set()
    for i in np.flatnonzero(icd.billable_on("2026-04-01")).tolist():
        if "classified elsewhere" in icd.title(i) or icd.codes[i].startswith((b"D63", b"E08", b"M90")):
            said = check_codes([("icd10cm", icd.code(i))], systems, setting="outpatient", service_date="2026-04-01")
            found |= {bytes(icd.codes[i]).decode() for f in said if f.rule == "manifestation_first"}
    assert found <= listed and len(found) >= 369


def test_severities() -> None:
    """An error is what no payer takes or the guidelines forbid whatever the circumstances; each rule with its severities."""
    table: dict[str, set[str]] = {}
    for text in read_rules():
        table.setdefault(text.rule, set()).add(text.severity)
    always = {rule for rule, found in table.items() if found == {"error"}}
    assert always == {
        "duplicate", "excludes1", "external_cause_first", "manifestation_first", "not_valid_on_date",
        "unacceptable_principal",
    }  # fmt: skip
    at_times = {rule for rule, found in table.items() if "error" in found} - always
    assert at_times == {"mue", "not_billable", "poa", "ptp", "secondary_only"}
    never_more = {rule for rule, found in table.items() if found == {"info"}}
    assert never_more == {
        "abnormal_finding", "additional_documented", "nonspecific", "not_checked", "pcs_axis_undocumented", "result_only",
        "use_additional",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "setting", "severity", "source"),
    [
        ("J18.9", "inpatient", "info", "ICD-10-CM Official Guidelines II.H, III.C, FY2026"),
        ("J18.9", "outpatient", "warning", "ICD-10-CM Official Guidelines IV.H, FY2026"),
        ("U07.1", "inpatient", "warning", "ICD-10-CM Official Guidelines I.C.1.g.1.a, FY2026"),
        ("B20", "inpatient", "warning", "ICD-10-CM Official Guidelines I.C.1.a.1, FY2026"),
        ("J11.1", "inpatient", "info", "ICD-10-CM Official Guidelines II.H, III.C, FY2026"),
    ],
)
def test_uncertain_by_setting(code: str, setting: str, severity: str, source: str) -> None:
    one = suggestion(code, "An illness", Evidence(3, 9, None, "uncertain", "an illness"))
    (found,) = check([one], {}, setting=setting, service_date=DATE)
    assert (found.severity, found.source, found.evidence) == (severity, source, ((3, 9),))


# ---- what the table cites

HEADINGS = {
    "I.A.3": "Use of codes for reporting purposes",
    "I.A.4": "Placeholder character",
    "I.A.5": "7th Characters",
    "I.A.9.b": "Unspecified",
    "I.A.12.a": "Excludes1",
    "I.A.13": "Etiology/manifestation convention (",
    "I.A.15": "With",
    "I.A.17": "Code also",
    "I.A.19": "Code assignment and Clinical Criteria",
    "I.B.2": "Level of Detail in Coding",
    "I.B.5": "Conditions that are an integral part of a disease process",
    "I.B.7": "Multiple coding for a single condition",
    "I.B.8": "Acute and Chronic Conditions",
    "I.B.9": "Combination Code",
    "I.B.10": "Sequela (Late Effects)",
    "I.B.12": "Reporting Same Diagnosis Code More than Once",
    "I.B.13": "Laterality",
    "I.B.14": "Documentation by Clinicians Other than the Patient's Provider",
    "I.B.18": "Use of Sign/Symptom/Unspecified Codes",
    "I.C.1.a.1": "Code only confirmed cases",
    "I.C.1.b": "Infectious agents as the cause of diseases classified to other",
    "I.C.1.d.1.b": "Severe sepsis",
    "I.C.1.d.3": "Sequencing of severe sepsis",
    "I.C.1.d.6": "Sepsis and severe sepsis associated with a noninfectious process",
    "I.C.1.f.1": "Code only confirmed cases",
    "I.C.1.g.1.a": "Code only confirmed cases",
    "I.C.2.m": "Current malignancy versus personal history of malignancy",
    "I.C.4.a": "Diabetes mellitus",
    "I.C.4.a.3": "Diabetes mellitus and the use of insulin, oral hypoglycemics,",
    "I.C.9.a": "Hypertension",
    "I.C.9.a.1": "Hypertension with Heart Disease",
    "I.C.9.a.2": "Hypertensive Chronic Kidney Disease",
    "I.C.9.a.3": "Hypertensive Heart and Chronic Kidney Disease",
    "I.C.9.b": "Atherosclerotic Coronary Artery Disease and Angina",
    "I.C.10.c": "Influenza due to certain identified influenza viruses",
    "I.C.15.a.1": "Codes from chapter 15 and sequencing priority",
    "I.C.15.a.2": "Chapter 15 codes used only on the maternal record",
    "I.C.15.a.3": "Final character for trimester",
    "I.C.15.b.5": "Outcome of delivery",
    "I.C.15.i": "Gestational (pregnancy induced) diabetes",
    "I.C.15.n.1": "Encounter for full term uncomplicated delivery",
    "I.C.15.n.3": "Outcome of delivery for O80",
    "I.C.16.a.1": "Use of Chapter 16 Codes",
    "I.C.16.a.2": "Principal Diagnosis for Birth Record",
    "I.C.18.b": "Use of a symptom code with a definitive diagnosis code",
    "I.C.19.a": "Application of 7th Characters in Chapter 19",
    "I.C.19.c.1": "Initial vs. subsequent encounter for fractures",
    "I.C.19.d.1": "Sequencing of burn and related condition codes",
    "I.C.19.e.5.a": "Adverse Effect",
    "I.C.19.e.5.b": "Poisoning",
    "I.C.19.e.5.c": "Underdosing",
    "I.C.19.e.5.d": "Toxic Effects",
    "I.C.20.a.2": "External cause code used for length of treatment",
    "I.C.20.a.6": "External cause code can never be a principal diagnosis",
    "I.C.20.c": "Activity Code",
    "I.C.20.d": "Place of Occurrence, Activity, and Status Codes Used with other",
    "I.C.21.c.3": "Status",
    "I.C.21.c.4": "History (of)",
    "I.C.21.c.7": "Aftercare",
    "I.C.21.c.14": "Nonspecific Z Codes",
    "I.C.21.c.15": "Z Codes That May Only be Principal/First-Listed Diagnosis",
    "I.C.21.c.17": "Social Determinants of Health",
    "II.A": "Codes for symptoms, signs, and ill-defined conditions",
    "II.H": "Uncertain Diagnosis",
    "III.A": "Previous conditions",
    "III.B": "Abnormal findings",
    "III.C": "Uncertain Diagnosis",
    "IV.D": "Codes that describe symptoms and signs",
    "IV.F": "Level of Detail in Coding",
    "IV.H": "Uncertain diagnosis",
    "IV.J": "Code all documented conditions that coexist",
}


def test_every_section_cited_is_listed_above() -> None:
    cited = {s for t in read_rules() if t.source.startswith("ICD-10-CM") for s in t.section.split(", ")}
    assert cited - {"Appendix I"} == set(HEADINGS)
    assert all((t.fiscal_year == "2026") == t.source.startswith(("ICD-10-CM", "ICD-10-PCS")) for t in read_rules())


def sources(name: str) -> set[str]:
    """The sections that a table of facts names as its source."""
    text = (RULES_FILE.parent / name).read_text(encoding="utf-8")
    rows = [line for line in text.split("\n") if line and not line.startswith("#")]
    cells = [row.rpartition("\t")[2] for row in rows]
    return {s for cell in cells for s in re.findall(r"\b(?:I|II|III|IV)\.[A-Z](?:\.\w+)*", cell)}


@pytest.mark.parametrize("name", ["pairs.tsv", "symptoms.tsv", "companions.tsv", "ages.tsv"])
def test_tables_of_facts_name_sections_that_rules_cite(name: str) -> None:
    """Or a part of one: I.C.21.c.16 is a list of codes, I.C.15.a the whole of the obstetric rules."""
    assert sources(name) - set(HEADINGS) <= {"I.C.15.a", "I.C.21.c.16"} and sources(name)


def test_sections_stand_in_the_official_text() -> None:
    path = DATA / "official" / "rules" / "icd10cm_guidelines.txt"
    if not path.exists():
        pytest.skip("the official guidelines are neither below $CODESUGGEST_DATA nor ../shared/data")
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[1].startswith("FY 2026") and "Appendix I" in lines
    body = next(i for i, line in enumerate(lines) if line.startswith("Section I. ") and ".." not in lines[i + 1])
    for section, heading in HEADINGS.items():
        at = body
        for level, part in enumerate(section.split(".")):
            mark = ("Section {}. ", "{}. ", "{}. ", "{}. ", "{}) ", "({}) ")[level].format(part)
            at = next((i for i in range(at, len(lines)) if lines[i].startswith(mark)), -1)
            assert at >= 0, section
        assert heading in lines[at], section


# ---- invariants


def invented() -> CodeSystem:
    pair = Note("excludes1", "A00", "grippe (B00.-)", (Range("B00", "B00"),))
    rows = [
        CodeRow("A00", "Ague", notes=(pair,)),
        CodeRow("A00.1", "Ague of right ear"),
        CodeRow("A00.2", "Ague of left ear", valid_to=20251231),
        CodeRow("A00.9", "Ague of unspecified ear"),
        CodeRow("B00", "Grippe"),
        CodeRow("B00.1", "Grippe with fever"),
        CodeRow("B00.2", ""),
    ]
    return CodeSystem.from_rows(rows, name="icd10cm", release="2026-01-01")


def test_a_small_system() -> None:
    systems = {"icd10cm": invented()}
    found = check_codes(
        [("icd10cm", c) for c in ("A00.9", "B00.2", "A00.2")], systems, setting="inpatient", service_date=DATE
    )
    assert [(f.rule, f.codes) for f in found] == [
        ("excludes1", ("A00.2", "B00.2")),
        ("excludes1", ("A00.9", "B00.2")),
        ("not_valid_on_date", ("A00.2",)),
        ("laterality_unspecified", ("A00.9",)),
        ("not_checked", ("A00.9",)),
    ]
    # a sibling that has ended is not offered, and a code without title is named by its number alone
    assert found[-2].message.endswith("code A00.1.") and " and B00.2 are kept apart" in found[0].message


def test_what_is_no_code_is_not_repeated() -> None:
    note = "Seen today for chest pain, John Q. Public"
    found = check_codes([("icd10cm", note), ("icd10cm", "")], {"icd10cm": invented()}, setting="inpatient",
                        service_date=DATE)  # fmt: skip
    assert [f.codes for f in found] == [("entry 1",), ("entry 2",)]
    assert "Public" not in repr(found)


def test_options() -> None:
    with pytest.raises(OptionError, match=r"icd11.*loaded are icd10cm"):
        check_codes([("icd11", "J1100")], {"icd10cm": invented()}, setting="inpatient", service_date=DATE)
    with pytest.raises(OptionError, match="setting"):
        check([], {}, setting="hospital", service_date=DATE)
    with pytest.raises(OptionError, match="date"):
        check([], {}, setting="inpatient", service_date="yesterday")
    assert check([], {}, setting="inpatient", service_date=DATE) == ()


def test_a_system_without_tables_is_judged_by_its_evidence() -> None:
    local = suggestion("L1", "Local", Evidence(0, 4, None, "uncertain", "local"))
    other = Suggestion("cpt", "2026", "99999", "", 0.5, True, 0, 0, {}, (Evidence(0, 4, None, "uncertain", "x"),))
    assert [f.rule for f in check([local, other], {}, setting="outpatient", service_date=DATE)] == ["uncertain"]


evidence = st.builds(
    Evidence,
    start=st.integers(0, 50),
    end=st.integers(50, 99),
    section=st.none(),
    assertion=st.sampled_from(ASSERTIONS),
    term=st.just("term"),
    basis=st.sampled_from(("text", "result")),
)
codes_ = st.sampled_from(["A00.1", "A00.2", "A00.9", "B00.1", "B00.2", "A00", "Q99", "", "é"])
suggestions_ = st.lists(
    st.builds(
        lambda code, spans, on: suggestion(code, "Title {0} %s", *spans, suggested=on),
        codes_,
        st.lists(evidence, max_size=3),
        st.booleans(),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(suggestions_, st.sampled_from(("inpatient", "outpatient")))
def test_never_raises_and_does_not_depend_on_order(given_: list[Suggestion], setting: str) -> None:
    systems = {"icd10cm": SMALL}
    found = check(given_, systems, setting=setting, service_date=DATE)
    again = check(given_[::-1], systems, setting=setting, service_date=DATE)
    # a code twice among suggestions has no place in a result; without that, the order of suggestions is no matter
    if len({s.code for s in given_}) == len(given_):
        assert found == again
    keys = [(SEVERITIES.index(f.severity), f.rule, f.codes) for f in found]
    assert keys == sorted(keys)


@settings(deadline=None)
@given(st.lists(codes_ | st.text(max_size=8), max_size=6))
def test_any_claim_has_findings_or_none(codes: list[str]) -> None:
    pairs = [("icd10cm", c) for c in codes]
    found = check_codes(pairs, {"icd10cm": SMALL}, setting="outpatient", service_date=DATE)
    again = check_codes(pairs, {"icd10cm": SMALL}, setting="outpatient", service_date=DATE)
    assert found == again
    assert sum(f.rule == "not_billable" for f in found) >= len({c for c in codes if c in ("Q99", "A00", "é", "")})


SMALL = invented()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_real_claim_has_findings_about_its_codes(systems: Mapping[str, CodeSystem], data: st.DataObject) -> None:
    icd = systems["icd10cm"]
    codes = data.draw(st.lists(st.integers(0, len(icd) - 1).map(icd.code), max_size=10))
    options: dict[str, Any] = {
        "setting": data.draw(st.sampled_from(("inpatient", "outpatient"))),
        "age": data.draw(st.none() | st.integers(0, 110)),
        "edits": data.draw(st.sampled_from((None, EDITS))),
        "service_date": DATE,
    }
    lines = [ClaimLine("icd10cm", code, poa=data.draw(st.sampled_from((None, "", "Y", "Q")))) for code in codes]
    found = check_codes(lines, systems, **options)
    assert found == check_codes(lines, systems, **options)
    assert all(set(f.codes) <= set(codes) and f.evidence == () for f in found)
    loose = check_codes(lines, systems, ordered=False, **options)
    assert set(loose) <= set(found) and {f.rule for f in set(found) - set(loose)} <= ORDERED
    # what is said without an order does not depend on it
    reverse = check_codes(lines[::-1], systems, ordered=False, **options)
    assert {(f.rule, frozenset(f.codes)) for f in loose if f.rule in FREE} == {
        (f.rule, frozenset(f.codes)) for f in reverse if f.rule in FREE
    }


#: Rules that run only where the order of a claim means something.
ORDERED = {
    "acute_chronic", "burn_order", "code_first", "external_cause_first", "first_listed_only", "manifestation_first", "not_checked",
    "obstetric_first", "perinatal_first", "poisoning_order", "secondary_only", "sequela_order", "symptom_first",
    "unacceptable_principal", "use_additional",
}  # fmt: skip
#: Rules that name every code they are about, so that the order of a claim cannot choose among them.
FREE = {"excludes1", "duplicate", "not_billable", "not_valid_on_date", "age", "trimester", "laterality_unspecified"}


def test_twelve_codes_within_two_milliseconds(systems: Mapping[str, CodeSystem]) -> None:
    codes = [
        "I10",
        "E11.22",
        "E11.9",
        "N18.30",
        "J45.909",
        "J44.9",
        "R73.9",
        "E78.5",
        "M25.569",
        "Z79.4",
        "F32.A",
        "H66.90",
    ]
    claim = [("icd10cm", c) for c in codes]
    listed = [
        suggestion(c, systems["icd10cm"][c].display, Evidence(0, 4, None, "uncertain", "x", "result")) for c in codes
    ]
    took = []
    for _ in range(20):
        start = time.perf_counter()
        check_codes(claim, systems, setting="outpatient", service_date=DATE)
        middle = time.perf_counter()
        check(listed, systems, setting="outpatient", service_date=DATE)
        took.append((middle - start, time.perf_counter() - middle))
    assert max(min(column) for column in zip(*took, strict=True)) < 0.002


# ---- the table


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("laterality_unspecified\t\twarning", "laterality\t\twarning", "is none of"),
        ("laterality_unspecified\t\twarning", "laterality_unspecified\t\tgrave", "is none of error, info, warning"),
        ("\terror\tinpatient\t", "\terror\thospital\t", "'hospital' is none of"),
        ("code {siblings}.", "code {sibling}.", "fills in no sibling"),
        ("code {siblings}.", "code {siblings.", "sentence"),
    ],
)
def test_a_malformed_table_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = RULES_FILE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "rules.tsv").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LexiconError, match=message):
        read_rules(tmp_path / "rules.tsv")


def test_a_rule_without_a_row_is_refused(tmp_path: Path) -> None:
    lines = RULES_FILE.read_text(encoding="utf-8").split("\n")
    (tmp_path / "rules.tsv").write_text("\n".join(x for x in lines if not x.startswith("duplicate")), encoding="utf-8")
    with pytest.raises(LexiconError, match="no row for duplicate"):
        read_rules(tmp_path / "rules.tsv")


def test_nothing_is_missed_of_codes_that_are_merely_listed(starter: CodeSuggester) -> None:
    """`check` leaves out what no rule may speak of; beside it the rules over all that is listed."""
    seen = 0
    for file in sorted(NOTES.glob("*.txt"))[::12]:
        text = file.read_text(encoding="utf-8")
        for setting in SETTINGS:
            result = starter.suggest(text, setting=setting, threshold=0.3, limit=200)
            said = Said(starter.reader.read(text), starter.reader.forms_of)
            lines = [_suggested(s, starter.tables[s.system]) for s in result.suggestions]
            day = int(result.service_date.replace("-", ""))
            every = findings(Case(lines, Encounter(setting, day, result.document_type), ("note",), said))
            assert result.findings == every
            seen += sum(f.rule in ("result_only", "additional_documented") for f in every)
    assert seen
