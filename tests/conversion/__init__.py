"""Fixing: each fix judged before and after by inspection, by its decoders, and by an outside eye."""
