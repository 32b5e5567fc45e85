"""Inspection: the corpus of real files, hostile files, names, and the readers one by one."""
