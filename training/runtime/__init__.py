"""Devices, processes, random seeds, memory, interrupts, and errors of torch."""
