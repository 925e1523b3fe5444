"""`make bench`: how long things take, beside a floor measured in the same run (docs/benchmarks.md)."""
