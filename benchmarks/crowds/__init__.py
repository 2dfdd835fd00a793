"""Programs with many sessions in one process: what the benchmarks start and measure."""
