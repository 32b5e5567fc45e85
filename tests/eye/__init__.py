"""Greenroom's judge beside readers that others wrote: `make eye CORPUS=folder`.

Every file of a folder is judged, then looked at by those readers that know its type and are installed. What
they disagree about is printed as a table. Readers run in processes that can be ended.
"""
