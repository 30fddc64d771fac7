"""The CUDA sources built for the CPU, to test them where there is no GPU."""
