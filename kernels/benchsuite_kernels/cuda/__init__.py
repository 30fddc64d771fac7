"""CUDA kernels: sources, how they are compiled and launched by CuPy, and their emulation."""
