"""From the files of a commit to a plan: image, setup and checks, each with its evidence. Pure, no I/O.

`hints.wanted` says which files to read, `plan.make_plan` decides, `explain` tells people and programs why.
An ecosystem is a folder with an `ECOSYSTEM` value; `ecosystems.py` lists them.
"""
