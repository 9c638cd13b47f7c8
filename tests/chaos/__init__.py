"""The chaos suite: every fault of the matrix, provoked for real under load, and an oracle that judges the end.

`python -m tests.chaos` plays rounds. In each, people push (`load.py`), some faults are provoked at once (`faults/`),
and everything must come to rest. At the end the oracle (`oracle.py`, pure) compares what was wanted (`ledger.py`) with
what GitHub shows and what the store, the log and the engine hold (`gather.py`).
"""
