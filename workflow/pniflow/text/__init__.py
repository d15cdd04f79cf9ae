"""Words for people: numbers, labels of measures, and terms, as figures, report and terminal write them.

numbers : digits, p-values, counts     labels : names of measures, regions, scales
wording : tested terms, sessions     estimates : rows of estimates and sensitivity, questions of families
"""
