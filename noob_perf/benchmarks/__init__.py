"""The benchmarks that asv follows over the project's history; see asv.conf.json.

Each has a time and a peak memory, at 1,000 and 10,000 nodes of the default workload. asv compares
two commits by a Mann-Whitney test at 0.2 %, which takes 7 samples of each, and they come from two
processes: hence ``rounds`` and ``repeat``. A benchmark checks its result in ``setup``, before its
time counts.
"""
