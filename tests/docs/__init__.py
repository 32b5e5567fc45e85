"""Tests of the documentation: what it shows runs, what it lists is complete, and its links lead somewhere."""
