#!/usr/bin/env python3
"""Servers are lost for good and what they held is made again elsewhere; a server is drained under a running writer.

Says how fast the shards were made again.
"""

import json
import os
import threading
import time

from libcluster import Cluster, ClusterTest, main, random_bytes, read_file, scaled, wait_until, write_file

FILE_BYTES = 8 << 20
FILES = scaled(24, 120)


class Repair(ClusterTest):
    chunkservers = 8

    @classmethod
    def make_cluster(cls):
        return Cluster(cls.chunkservers, cls.policy, up=["--down-after", "5s"])

    def write(self, folder, files):
        os.mkdir(self.path(folder))
        for i in range(files):
            write_file(self.path(folder, str(i)), random_bytes(i, FILE_BYTES))

    def check(self, folder, files):
        for i in range(files):
            self.assertEqual(read_file(self.path(folder, str(i))), random_bytes(i, FILE_BYTES), f"{folder}/{i}")

    def node(self, *words):
        return json.loads(self.cluster.cairn("node", *map(str, words), "-m", self.cluster.metaserver(), "--json"))

    def node_of(self, number):
        """The node (ServerId) of chunkserver number 1..n."""
        address = next(row["address"] for row in self.cluster.dev_status()["processes"] if row["who"] == str(number))
        return next(row["server"] for row in self.node("list")["nodes"] if row["address"] == address)

    def lose(self, *numbers):
        """Kills them for good, and waits until nothing is missing any more."""
        nodes = [self.node_of(number) for number in numbers]
        self.cluster.kill(*numbers)
        wait_until(lambda: self.cluster.status()["missing_shards"] > 0, "their shards are missed")
        began, rates, verdicts = time.monotonic(), [0], set()

        def whole():
            status = self.cluster.status()
            rates.append(status["repair"]["bytes_per_second"])
            if status["missing_shards"] > 0:
                verdicts.add(status["verdict"])
            return status["missing_shards"] == 0

        wait_until(whole, "everything is fully redundant again", 180)
        print(f"    repaired in {time.monotonic() - began:.1f} s, at up to {max(rates) / 1e6:.0f} MB/s")
        self.assertNotIn("healthy", verdicts)
        self.assertGreater(max(rates), 0)
        return nodes


class LostServersTest(Repair):
    def test_two_servers_are_lost_for_good_and_then_two_more(self):
        self.write("data", FILES)
        nodes = self.lose(1, 2)
        status = self.cluster.status()
        self.assertEqual(status["survivable_losses"], 2)
        self.assertEqual(status["repair"]["shards_waiting"] + status["repair"]["shards_under_way"], 0)
        for node in nodes:
            self.node("remove", node)
        self.assertEqual(len(self.node("list")["nodes"]), 6)
        wait_until(lambda: self.cluster.status()["verdict"] == "healthy", "the verdict is healthy")
        self.cluster.kill(3, 4)
        self.cluster.remount()
        self.check("data", FILES)
        write_file(self.path("more"), random_bytes(99, FILE_BYTES))
        wait_until(lambda: "failure domain" in self.cluster.status()["repair"]["waiting_why"], "status says what repair waits for", 60)
        self.cluster.start(3, 4)
        self.cluster.wait_whole(60)
        self.assertEqual(read_file(self.path("more")), random_bytes(99, FILE_BYTES))


class DrainTest(Repair):
    def test_a_server_is_drained_under_a_running_writer(self):
        self.write("before", FILES // 2)
        node = self.cluster.layout(self.path("before", "0"))["chunks"][0]["shards"][0]["server"]
        number = self.cluster.number_of(node)
        plan = self.node("drain", node, "--dry-run")
        self.assertGreater(plan["shards"], 0)
        self.assertEqual(plan["at_risk"], 0)
        self.assertFalse(plan["changed"])
        with self.assertRaisesRegex(AssertionError, "drain it first"):
            self.node("remove", node)

        written, stop, failures = [0], threading.Event(), []

        def write_on():
            os.mkdir(self.path("meanwhile"))
            try:
                while not stop.is_set():
                    write_file(self.path("meanwhile", str(written[0])), random_bytes(written[0], FILE_BYTES))
                    written[0] += 1
            except OSError as error:
                failures.append(error)

        writer = threading.Thread(target=write_on)
        writer.start()
        try:
            wait_until(lambda: written[0] > 1, "the writer writes")
            self.node("drain", node)

            def drained():
                status = self.cluster.status()
                self.assertEqual(status["missing_shards"], 0)
                return [row["shards"] for row in status["repair"]["draining"] if row["server"] == node] == [0]

            wait_until(drained, "the server is drained", 180)
            at = written[0]
            wait_until(lambda: written[0] > at + 1 or failures, "the writer goes on")
        finally:
            stop.set()
            writer.join()
        self.assertEqual(failures, [])
        self.node("remove", node)
        self.cluster.kill(number)
        self.assertEqual(self.cluster.status()["missing_shards"], 0)
        self.check("before", FILES // 2)
        self.check("meanwhile", written[0])
        self.cluster.remount()
        self.cluster.kill(*[other for other in range(1, 9) if other != number][:2])
        self.check("before", FILES // 2)
        self.check("meanwhile", written[0])


if __name__ == "__main__":
    main()
