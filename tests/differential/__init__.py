"""Scenarios of the differential test: each module has SCENARIOS, functions over a `lib.differential.Pair`."""
