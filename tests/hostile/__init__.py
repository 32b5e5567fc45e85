"""The hostile corpus: files, manifests, messages and answers made to hurt, each judged by the real code.

`make hostile` prints the table, the tests assert it. Nothing hostile is kept in the repository: each case is
made when it runs, in a process of its own with bounds of memory and time.
"""
