"""Random and spoiled inputs for all that comes from outside, judged by the real code in bounded processes.

`make fuzz INPUTS=100000 SEED=1` runs it; the tests run some hundred inputs. Each input follows from its
target, the seed and its number alone: `python -m tests.fuzz --seed 1 --only manifests:4711` runs one again.
"""
