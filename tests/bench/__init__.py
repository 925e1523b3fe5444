"""`make bench`: how long things take, beside a floor measured in the same run. docs/benchmarks.md says how to read it."""
