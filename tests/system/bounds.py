#!/usr/bin/env python3
"""What hostile, broken and slow peers may cost real servers: connections, threads, memory, lines of the log; and a mount works on.

The bounds are those of docs/limits.md.
"""

import hashlib
import os
import resource
import select
import signal
import socket
import struct
import threading
import time

from libcluster import ClusterTest, main, random_bytes, read_file, wait_until, write_file

CONNECTIONS = 2000
MEMORY_OF_A_CONNECTION = 64 << 10  # of a server: its thread's stack and buffers, while it is idle
MIB = 1 << 20
# The mount's options by default (cairn mount --help): dirty=96M, cache=64M; and reused buffers, stacks, libraries.
MOUNT_MEMORY = (96 + 64 + 16 + 80) * MIB


def process_status(pid, name):
    for line in read_file(f"/proc/{pid}/status").decode().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} has no {name}")


def memory_of(pid):
    return process_status(pid, "VmRSS") * 1024


def threads_of(pid):
    return process_status(pid, "Threads")


def call(method, struct_bytes):
    """A framed call of the binary protocol; its one argument is a struct of these encoded fields."""
    name = method.encode()
    body = struct.pack(">Ii", 0x80010001, len(name)) + name + struct.pack(">i", 1) + b"\x0c\x00\x01" + struct_bytes + b"\x00\x00"
    return struct.pack(">I", len(body)) + body


def field(kind, number, value):
    return struct.pack(">bh", kind, number) + value


def i64(number, value):
    return field(10, number, struct.pack(">q", value))


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=20)


def is_closed_by_the_other(peer):
    try:
        while peer.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False


# (what, bytes): after each the server closes the connection.
HOSTILE = [
    ("a frame of 4 GiB", b"\xff\xff\xff\xff\x80\x01\x00\x01"),
    ("a frame of a negative length", b"\x80\x00\x00\x00\x80\x01\x00\x01"),
    ("a frame of no length", b"\x00\x00\x00\x00"),
    ("a method that nobody knows", call("no_such_method", b"")),
    ("another version of the protocol", struct.pack(">I", 12) + b"\x80\x02\x00\x01" + bytes(8)),
    ("a reply instead of a call", struct.pack(">I", 12) + b"\x80\x01\x00\x02" + bytes(8)),
    ("a list of 2^31 - 1 structs", call("commit", field(15, 2, b"\x0c" + struct.pack(">i", 0x7FFFFFFF)))),
    ("a list of a negative length", call("commit", field(15, 2, b"\x0c" + struct.pack(">i", -1)))),
    ("a string of 2 GiB", call("lookup", field(11, 3, struct.pack(">i", 0x7FFFFFFF) + b"x"))),
    ("structs in structs without end", call("cluster_map", b"\x0c\x00\x63" * 20_000)),
    ("a tail longer than any record", call("append", field(8, 6, struct.pack(">i", 0x7FFFF000)))),
    ("a tail of a negative length", call("append", field(8, 6, struct.pack(">i", -4096)))),
    ("another protocol", b"GET / HTTP/1.1\r\nHost: somebody\r\n\r\n"),
]


class Worker:
    """A program in the mount that writes, syncs and reads back all the time."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.rounds, self.slowest, self.trouble, self.ended = folder, 0, 0.0, None, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.ended:
                begun, path = time.monotonic(), os.path.join(self.folder, str(self.rounds % 20))
                data = random_bytes(self.rounds, 40_000)
                write_file(path, data)
                if read_file(path) != data:
                    raise AssertionError(f"{path} reads otherwise than it was written")
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.rounds += 1
                time.sleep(0.01)  # a program that does little, so that others get the processor
        except BaseException as trouble:
            self.trouble = trouble

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()


class BoundsTest(ClusterTest):
    chunkservers, policy = 4, "ec(2,1)"

    def process(self, who):
        row = next(row for row in self.cluster.dev_status()["processes"] if row["who"] == who)
        return row["pid"], row["address"]

    def servers(self):
        return {who: self.process(who) for who in ("metaserver", "1")}

    def log_lines(self, who):
        name = who if who == "metaserver" else f"chunkserver-{who}"
        return len(read_file(os.path.join(self.cluster.directory, "logs", f"{name}.log")).splitlines())

    def assert_mount_works(self, worker, rounds):
        wanted = worker.rounds + rounds
        wait_until(lambda: worker.trouble or worker.rounds >= wanted, "the mount has written and read more files", 30)
        self.assertIsNone(worker.trouble)

    def test_two_thousand_connections_to_each_server_while_a_mount_works(self):
        servers = self.servers()
        before = {who: (threads_of(pid), memory_of(pid)) for who, (pid, _) in servers.items()}
        peers = []
        try:
            with Worker(self.path("works")) as worker:
                self.assert_mount_works(worker, 3)
                for i in range(CONNECTIONS):
                    for _, address in servers.values():
                        peers.append(connect(address))
                        if i % 2:
                            peers[-1].sendall(b"\x00\x01\x00\x00\x80")  # half of a message of 64 KiB, then silence
                self.assert_mount_works(worker, 10)
                for who, (pid, _) in servers.items():
                    threads, memory = before[who]
                    wait_until(lambda: threads_of(pid) >= threads + CONNECTIONS, "each connection has been accepted")
                    grown = memory_of(pid) - memory
                    print(f"{who}: {grown / CONNECTIONS / 1024:.1f} KiB for each connection")
                    # Half messages are 64 KiB of buffer each; of these no more than request_bytes are let in.
                    self.assertLess(grown, CONNECTIONS * MEMORY_OF_A_CONNECTION + 64 * MIB, who)
                for peer in peers:
                    peer.close()
                peers.clear()
                for who, (pid, _) in servers.items():
                    threads, memory = before[who]
                    wait_until(lambda: threads_of(pid) <= threads + 20, f"the threads of {who} are gone")
                    wait_until(lambda: memory_of(pid) <= memory + 48 * MIB, f"the memory of {who} is given back")
                self.assert_mount_works(worker, 10)
                print(f"mount: {worker.rounds} rounds, the slowest took {worker.slowest:.2f} s")
                self.assertLess(worker.slowest, 10)
        finally:
            for peer in peers:
                peer.close()

    def test_hostile_messages_cost_their_connection_and_few_lines_of_the_log(self):
        servers = self.servers()
        before = {who: (memory_of(pid), self.log_lines(who)) for who, (pid, _) in servers.items()}
        with Worker(self.path("beside")) as worker:
            for _ in range(20):
                for what, message in HOSTILE:
                    for who, (_, address) in servers.items():
                        with connect(address) as peer:
                            peer.sendall(message)
                            # Where the server read a frame that is no frame it closes with bytes unread: that is a reset.
                            peer.shutdown(socket.SHUT_WR)
                            self.assertTrue(is_closed_by_the_other(peer), f"{who}: {what}")
            self.assert_mount_works(worker, 5)
        for who, (pid, _) in servers.items():
            memory, lines = before[who]
            self.assertLess(memory_of(pid), memory + 64 * MIB, who)
            self.assertLess(self.log_lines(who) - lines, 40, f"{who}: 260 hostile connections")

    def test_readers_that_never_read_hold_a_thread_each_and_nobody_up(self):
        pid, address = self.process("metaserver")
        memory, peers = memory_of(pid), []
        request = call("cluster_map", i64(1, 0) + i64(2, 0)) * 200
        try:
            for _ in range(150):
                peer = connect(address)
                peers.append(peer)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.setblocking(False)
            deadline = time.monotonic() + 4
            open_ones = list(peers)
            while open_ones and time.monotonic() < deadline:  # until neither side takes any more
                _, writable, _ = select.select([], open_ones, [], 0.5)
                if not writable:
                    break
                for peer in writable:
                    try:
                        peer.send(request)
                    except BlockingIOError:
                        pass
            with Worker(self.path("read")) as worker:
                self.assert_mount_works(worker, 10)
            self.assertEqual(self.cluster.status()["missing_shards"], 0)
            self.assertLess(memory_of(pid), memory + 64 * MIB)
        finally:
            for peer in peers:
                peer.close()

    def test_a_writer_that_is_faster_than_the_servers_is_slowed_and_not_failed(self):
        mount = self.process("mount")[0]
        stopped = self.process("2")[0]
        piece, pieces = random_bytes(1, MIB), 200
        most, ended = 0, threading.Event()

        def watch():
            nonlocal most
            while not ended.wait(0.05):
                most = max(most, memory_of(mount))

        def go_on():
            os.kill(stopped, signal.SIGCONT)

        watcher, timer = threading.Thread(target=watch), threading.Timer(4, go_on)
        os.kill(stopped, signal.SIGSTOP)
        watcher.start()
        timer.start()
        try:
            path, content = self.path("fast"), hashlib.sha256()
            with open(path, "wb", buffering=0) as file:
                for i in range(pieces):
                    data = struct.pack(">Q", i) + piece[8:]
                    self.assertEqual(file.write(data), MIB)
                    content.update(data)
                os.fsync(file.fileno())
        finally:
            ended.set()
            timer.cancel()
            go_on()
            watcher.join()
        print(f"mount: {most / MIB:.0f} MiB at most")
        self.assertLess(most, MOUNT_MEMORY)
        self.assertEqual(hashlib.sha256(read_file(path)).hexdigest(), content.hexdigest())


if __name__ == "__main__":
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    main()
