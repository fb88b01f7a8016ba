//! Nothing: the benchmarks are beside this file, and BENCHMARKS.md tells their results.
