"""CPU seconds and memory of processes, bytes read from disk, and caches dropped: from /proc alone."""

import os
import resource

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """User and system seconds of the processes with all their threads; a process that has ended counts 0."""
    total = 0.0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def peak_mib(pid):
    """The largest resident size that the process has had, in MiB; 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except FileNotFoundError:
        pass
    return 0.0


def disk_read_mib():
    """MiB read from all whole block devices since boot."""
    total = 0
    with open("/proc/diskstats") as stats:
        for line in stats:
            fields = line.split()
            if os.path.exists(f"/sys/block/{fields[2]}"):
                total += int(fields[5])
    return total / 2048


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def drop_kernel_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as control:
        control.write("3\n")
