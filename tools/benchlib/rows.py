"""How each figure is taken. A row is a function (subject, settings) -> list of Measurement."""

import json
import multiprocessing
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field

from . import accounting

FIO = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fio")


@dataclass
class Settings:
    size_mib: int = 1024
    seconds: int = 8
    files: int = 2000
    trees: tuple = ("/usr/include/linux", "/usr/include/c++")   # packed for tar_extract


@dataclass
class Measurement:
    figure: str
    unit: str
    value: float
    better: str = "more"          # or "less"
    notes: dict = field(default_factory=dict)


class Meter:
    """CPU of client, servers and the measuring program, and bytes from disk, over a block."""

    def __init__(self, subject):
        self.subject = subject

    def __enter__(self):
        self.client = accounting.cpu_seconds(self.subject.client_pids)
        self.servers = accounting.cpu_seconds(self.subject.server_pids)
        self.program = accounting.children_cpu()
        self.disk = accounting.disk_read_mib()
        self.started = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.started
        self.client = accounting.cpu_seconds(self.subject.client_pids) - self.client
        self.servers = accounting.cpu_seconds(self.subject.server_pids) - self.servers
        self.program = accounting.children_cpu() - self.program
        self.disk = accounting.disk_read_mib() - self.disk


def run_fio(job, subject, settings, jobs=1):
    environment = dict(os.environ, DIR=subject.directory, SIZE=f"{settings.size_mib}M", SECONDS=str(settings.seconds),
                       JOBS=str(jobs))
    done = subprocess.run(["fio", "--output-format=json", os.path.join(FIO, job + ".fio")], env=environment,
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"fio {job} on {subject.name}: {done.stderr.strip() or done.stdout[-400:]}")
    return json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]


def throughput(figure, direction, job, subject, settings):
    with Meter(subject) as meter:
        result = run_fio(job, subject, settings)
    gib = settings.size_mib / 1024
    rate = result[direction]["bw_bytes"] / 1e6
    if direction == "write":   # the fsync at the end belongs to it
        rate = settings.size_mib * 1.048576 / max(result["job_runtime"] / 1000, 1e-3)
    return [
        Measurement(figure, "MB/s", rate, notes={"disk_read_mib": round(meter.disk)}),
        Measurement(figure + ".client_cpu", "s/GiB", meter.client / gib, "less"),
        Measurement(figure + ".server_cpu", "s/GiB", meter.servers / gib, "less"),
        Measurement(figure + ".fio_cpu", "s/GiB", meter.program / gib, "less"),
    ]


def seq_write(subject, settings):
    return throughput("seq_write", "write", "seq_write", subject, settings)


def seq_read_cold(subject, settings):
    subject.drop_caches()
    return throughput("seq_read_cold", "read", "seq_read", subject, settings)


def rand_read(subject, settings):
    measured = []
    for jobs in (1, 4, 16):
        subject.drop_caches()
        result = run_fio("rand_read", subject, settings, jobs)
        measured.append(Measurement(f"rand_read_4k_{jobs}_jobs", "IOPS", result["read"]["iops"]))
    return measured


def rand_write(subject, settings):
    synced = run_fio("rand_write_fsync", subject, settings)
    small = Settings(size_mib=64, seconds=settings.seconds)
    at_end = run_fio("rand_write_end_fsync", subject, small)
    operations = small.size_mib * 256
    return [
        Measurement("rand_write_4k_fsync", "IOPS", synced["write"]["iops"]),
        Measurement("rand_write_4k_end_fsync", "IOPS", operations / max(at_end["job_runtime"] / 1000, 1e-3)),
    ]


def in_processes(processes, work, count):
    """Runs work(process, index) count times, shared by so many processes; operations per second in all."""
    share = count // processes
    barrier = multiprocessing.Barrier(processes)
    results = multiprocessing.Queue()   # (started, ended, failure) of each process

    def body(process):
        barrier.wait()
        started, failure = time.monotonic(), None
        try:
            for index in range(share):
                work(process, index)
        except Exception as error:  # told to the parent, which fails the row
            failure = f"{type(error).__name__}: {error}"
        results.put((started, time.monotonic(), failure))

    workers = [multiprocessing.Process(target=body, args=(process,)) for process in range(processes)]
    for worker in workers:
        worker.start()
    taken = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    for _, _, failure in taken:
        if failure:
            raise RuntimeError(failure)
    return share * processes / (max(end for _, end, _ in taken) - min(start for start, _, _ in taken))


def metadata(subject, settings):
    measured = []
    for processes in (1, 4):
        top = os.path.join(subject.directory, f"meta{processes}")
        os.mkdir(top)
        for process in range(processes):
            os.mkdir(f"{top}/{process}")

        def create(process, index):
            os.close(os.open(f"{top}/{process}/f{index}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))

        def stat(process, index):
            os.stat(f"{top}/{process}/f{index}")

        def rename(process, index):
            os.rename(f"{top}/{process}/f{index}", f"{top}/{process}/g{index}")

        def unlink(process, index):
            os.unlink(f"{top}/{process}/g{index}")

        for name, work in (("create", create), ("stat", stat), ("rename", rename), ("unlink", unlink)):
            if name == "stat":
                subject.drop_caches()
            rate = in_processes(processes, work, settings.files)
            measured.append(Measurement(f"meta_{name}_{processes}_procs", "ops/s", rate))
        shutil.rmtree(top)
    return measured


def small_files(subject, settings):
    measured = []
    content = os.urandom(16384)
    for processes in (1, 4):
        top = os.path.join(subject.directory, f"small{processes}")
        os.mkdir(top)

        def write(process, index):
            with open(f"{top}/{process}-{index}", "wb", buffering=0) as file:
                file.write(content)

        def read(process, index):
            with open(f"{top}/{process}-{index}", "rb", buffering=0) as file:
                if file.read(16384) != content:
                    raise RuntimeError(f"{file.name} has other bytes than were written")

        started = time.monotonic()
        rate = in_processes(processes, write, settings.files)
        directory = os.open(subject.directory, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        durable = settings.files / (time.monotonic() - started)
        subject.drop_caches()
        measured.append(Measurement(f"small_16k_write_{processes}_procs", "files/s", rate))
        measured.append(Measurement(f"small_16k_write_durable_{processes}_procs", "files/s", durable))
        measured.append(Measurement(f"small_16k_read_{processes}_procs", "files/s",
                                    in_processes(processes, read, settings.files)))
        shutil.rmtree(top)
    return measured


def tree(subject, settings):
    archive = os.path.join(subject.base, "tree.tar")
    if not os.path.exists(archive):
        subprocess.run(["tar", "-C", "/", "-cf", archive, *(path.lstrip("/") for path in settings.trees)], check=True)
    target = os.path.join(subject.directory, "tree")
    os.mkdir(target)
    started = time.monotonic()
    subprocess.run(["tar", "-C", target, "-xf", archive], check=True)
    extract = time.monotonic() - started
    started = time.monotonic()
    shutil.rmtree(target)
    return [Measurement("tar_extract", "s", extract, "less"),
            Measurement("rm_tree", "s", time.monotonic() - started, "less")]


def tasks_read(subject, _settings):
    """100 files of 10 MB read by one program after the other: the first round from cold, then again, as repeated tasks do."""
    top = os.path.join(subject.directory, "tasks")
    os.mkdir(top)
    content = os.urandom(10_000_000)
    for index in range(100):
        with open(f"{top}/{index}", "wb", buffering=0) as file:
            file.write(content)
    directory = os.open(subject.directory, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    subject.drop_caches()

    def round_of_reads():
        buffer = bytearray(1 << 20)
        started, taken = time.monotonic(), 0
        for index in range(100):
            with open(f"{top}/{index}", "rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    taken += count
        if taken != 100 * len(content):
            raise RuntimeError(f"{taken} bytes were read in {top}, not {100 * len(content)}")
        return taken / 1e6 / (time.monotonic() - started)

    first = round_of_reads()
    later = max(round_of_reads() for _ in range(2))
    shutil.rmtree(top)
    return [Measurement("tasks_read_first", "MB/s", first), Measurement("tasks_read_later", "MB/s", later)]


def disk_cache(subject, settings):
    """The big file from a local disk, all memory dropped: for CairnFS out of its disk cache, which one reading before filled."""
    with subject.local_cache():
        run_fio("seq_read", subject, settings)
        measured = []
        subject.drop_memory()
        result = run_fio("seq_read", subject, settings)
        measured.append(Measurement("disk_cache_seq_read", "MB/s", result["read"]["bw_bytes"] / 1e6))
        subject.drop_memory()
        result = run_fio("rand_read", subject, settings, 4)
        measured.append(Measurement("disk_cache_rand_read_4k_4_jobs", "IOPS", result["read"]["iops"]))
    return measured


def memory(subject, _settings):
    if not subject.server_pids:
        return []
    return [Measurement("client_peak_memory", "MiB", max(subject.earlier_peak_mib, *map(accounting.peak_mib, subject.client_pids)),
                        "less"),
            Measurement("server_peak_memory", "MiB", max(map(accounting.peak_mib, subject.server_pids)), "less")]


# In this order: the readers use the file that seq_write leaves.
ROWS = {
    "seq_write": seq_write,
    "seq_read_cold": seq_read_cold,
    "rand_read": rand_read,
    "disk_cache": disk_cache,
    "rand_write": rand_write,
    "metadata": metadata,
    "small_files": small_files,
    "tree": tree,
    "tasks_read": tasks_read,
    "memory": memory,
}
