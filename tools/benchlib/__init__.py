"""The parts of tools/bench: subjects (what is measured), rows (how), accounting (CPU, disk, memory), report."""
