"""Pages for campaign managers, live: what `greenroom campaign report` writes, for whoever logs in.

They read the tables, and neither enqueue nor change anything; all that is written is who is logged in.
"""
