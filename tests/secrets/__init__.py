"""Known secrets are seeded, every path is driven with failures, and all that was written is searched.

``make secrets`` prints what was seeded, where it was looked for, in how many bytes, and what was found.
"""
