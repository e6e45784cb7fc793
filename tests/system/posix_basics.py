#!/usr/bin/env python3
"""What ordinary programs expect of a directory, on a real mount."""

import errno
import fcntl
import mmap
import os
import stat
import subprocess
import threading

from libcluster import ClusterTest, main, random_bytes, read_file, write_file


class PosixTest(ClusterTest):
    def setUp(self):
        self.dir = self.path(self._testMethodName)
        os.mkdir(self.dir)

    def at(self, name):
        return os.path.join(self.dir, name)

    def assert_errno(self, number, call, *arguments):
        with self.assertRaises(OSError) as caught:
            call(*arguments)
        self.assertEqual(errno.errorcode[caught.exception.errno], errno.errorcode[number])

    def test_a_file_reads_back_what_was_written_at_every_size(self):
        for size in (0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 65536, 262144, 262145, 1048576, 3 * 1048576 + 17):
            data = random_bytes(size, size)
            write_file(self.at(f"f{size}"), data, fsync=size % 2 == 0)
            self.assertEqual(read_file(self.at(f"f{size}")), data, f"before a remount, {size} bytes")
        self.cluster.remount()
        for size in (0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 65536, 262144, 262145, 1048576, 3 * 1048576 + 17):
            self.assertEqual(read_file(self.at(f"f{size}")), random_bytes(size, size), f"after a remount, {size} bytes")
            self.assertEqual(os.stat(self.at(f"f{size}")).st_size, size)

    def test_rename_replaces_and_keeps_the_inode(self):
        write_file(self.at("a"), b"new")
        write_file(self.at("b"), b"old")
        inode = os.stat(self.at("a")).st_ino
        os.rename(self.at("a"), self.at("b"))
        self.assertEqual(read_file(self.at("b")), b"new")
        self.assertEqual(os.stat(self.at("b")).st_ino, inode)
        self.assertEqual(os.listdir(self.dir), ["b"])

    def test_rename_of_directories_keeps_the_rules(self):
        os.makedirs(self.at("x/y"))
        os.mkdir(self.at("full"))
        write_file(self.at("full/file"), b"1")
        self.assert_errno(errno.EINVAL, os.rename, self.at("x"), self.at("x/y/z"))
        self.assert_errno(errno.ENOTEMPTY, os.rename, self.at("x"), self.at("full"))
        self.assert_errno(errno.ENOTDIR, os.rename, self.at("x"), self.at("full/file"))
        self.assert_errno(errno.EISDIR, os.rename, self.at("full/file"), self.at("x"))
        os.mkdir(self.at("empty"))
        os.rename(self.at("x"), self.at("empty"))
        self.assertEqual(sorted(os.listdir(self.dir)), ["empty", "full"])
        self.assertEqual(os.stat(self.dir).st_nlink, 4)

    def test_an_unlinked_open_file_lives_until_it_is_closed(self):
        data = random_bytes(1, 700000)
        with open(self.at("gone"), "w+b") as file:
            file.write(data)
            file.flush()
            os.unlink(self.at("gone"))
            self.assertEqual(os.listdir(self.dir), [])
            os.fsync(file.fileno())
            file.seek(0)
            self.assertEqual(file.read(), data)
            self.assertEqual(os.fstat(file.fileno()).st_nlink, 0)
        self.assert_errno(errno.ENOENT, os.stat, self.at("gone"))

    def test_a_file_renamed_over_while_open_lives_too(self):
        write_file(self.at("old"), b"old content")
        write_file(self.at("new"), b"new content")
        with open(self.at("old"), "rb") as file:
            os.rename(self.at("new"), self.at("old"))
            self.assertEqual(file.read(), b"old content")
        self.assertEqual(read_file(self.at("old")), b"new content")

    def test_holes_read_as_zeros_and_take_no_space(self):
        with open(self.at("sparse"), "wb") as file:
            file.seek(64 << 20)
            file.write(b"end")
            file.flush()
            os.fsync(file.fileno())
        info = os.stat(self.at("sparse"))
        self.assertEqual(info.st_size, (64 << 20) + 3)
        self.assertLess(info.st_blocks * 512, 1 << 20)
        with open(self.at("sparse"), "rb") as file:
            file.seek(12345678)
            self.assertEqual(file.read(4096), bytes(4096))
            file.seek(64 << 20)
            self.assertEqual(file.read(), b"end")

    def test_truncation_cuts_and_growth_brings_zeros(self):
        data = random_bytes(2, 600000)
        write_file(self.at("t"), data)
        os.truncate(self.at("t"), 300001)
        self.assertEqual(read_file(self.at("t")), data[:300001])
        os.truncate(self.at("t"), 500000)
        self.assertEqual(read_file(self.at("t")), data[:300001] + bytes(199999))
        self.cluster.remount()
        self.assertEqual(read_file(self.at("t")), data[:300001] + bytes(199999))
        with open(self.at("t"), "wb"):
            pass
        self.assertEqual(os.stat(self.at("t")).st_size, 0)

    def test_overwriting_the_middle_keeps_the_rest(self):
        data = bytearray(random_bytes(3, 1 << 20))
        write_file(self.at("m"), data)
        with open(self.at("m"), "r+b") as file:
            for i, (offset, length) in enumerate([(0, 1), (4095, 2), (262143, 5), (500000, 4096), (1048570, 6), (7, 300000)]):
                piece = random_bytes(100 + i, length)
                os.pwrite(file.fileno(), piece, offset)
                data[offset:offset + length] = piece
                self.assertEqual(os.pread(file.fileno(), 1 << 20, 0), bytes(data))
        self.cluster.remount()
        self.assertEqual(read_file(self.at("m")), bytes(data))

    def test_appends_of_many_writers_lose_and_mix_nothing(self):
        path, writers, lines = self.at("log"), 4, 150

        def append(writer):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            for line in range(lines):
                os.write(fd, f"{writer} {line} {'x' * (line % 90)}\n".encode())
            os.close(fd)

        threads = [threading.Thread(target=append, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = sorted(f"{w} {n} {'x' * (n % 90)}" for w in range(writers) for n in range(lines))
        self.assertEqual(sorted(read_file(path).decode().splitlines()), expected)

    def test_exclusive_creation_and_its_errors(self):
        fd = os.open(self.at("x"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
        os.close(fd)
        self.assertEqual(stat.S_IMODE(os.stat(self.at("x")).st_mode), 0o640 & ~self.umask())
        self.assert_errno(errno.EEXIST, os.open, self.at("x"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
        self.assert_errno(errno.EEXIST, os.mkdir, self.at("x"))
        self.assert_errno(errno.ENOENT, os.open, self.at("none"), os.O_RDONLY)
        self.assert_errno(errno.ENOTDIR, os.open, self.at("x/y"), os.O_RDONLY)
        self.assert_errno(errno.EISDIR, os.open, self.dir, os.O_WRONLY)
        self.assert_errno(errno.ENAMETOOLONG, os.mkdir, self.at("n" * 256))
        os.mkdir(self.at("n" * 255))
        self.assert_errno(errno.ENOTEMPTY, os.rmdir, self.dir)

    @staticmethod
    def umask():
        mask = os.umask(0)
        os.umask(mask)
        return mask

    def test_links_hard_and_symbolic(self):
        write_file(self.at("one"), b"content")
        os.link(self.at("one"), self.at("two"))
        self.assertEqual(os.stat(self.at("one")).st_nlink, 2)
        with open(self.at("two"), "ab") as file:
            file.write(b" more")
        self.assertEqual(read_file(self.at("one")), b"content more")
        os.unlink(self.at("one"))
        self.assertEqual(os.stat(self.at("two")).st_nlink, 1)
        self.assertEqual(read_file(self.at("two")), b"content more")
        target = "../" + "long/" * 200 + "target"
        os.symlink(target, self.at("link"))
        self.assertEqual(os.readlink(self.at("link")), target)
        os.symlink("two", self.at("short"))
        self.assertEqual(read_file(self.at("short")), b"content more")

    def test_extended_attributes(self):
        write_file(self.at("f"), b"")
        os.setxattr(self.at("f"), "user.colour", b"green")
        os.setxattr(self.at("f"), "user.empty", b"")
        os.setxattr(self.at("f"), "user.big", b"b" * 3000)
        self.assertEqual(os.getxattr(self.at("f"), "user.colour"), b"green")
        self.assertEqual(sorted(os.listxattr(self.at("f"))), ["user.big", "user.colour", "user.empty"])
        self.assert_errno(errno.EEXIST, os.setxattr, self.at("f"), "user.colour", b"x", os.XATTR_CREATE)
        self.assert_errno(errno.ENODATA, os.setxattr, self.at("f"), "user.none", b"x", os.XATTR_REPLACE)
        os.removexattr(self.at("f"), "user.colour")
        self.assert_errno(errno.ENODATA, os.getxattr, self.at("f"), "user.colour")
        self.assertEqual(os.getxattr(self.at("f"), "user.big"), b"b" * 3000)

    def test_the_mount_answers_for_itself(self):
        self.assertEqual(os.getxattr(self.mount, "cairn.metaserver").decode(), self.cluster.metaserver())
        pid = int(os.getxattr(self.mount, "cairn.pid"))
        self.assertIn(b"cairn", read_file(f"/proc/{pid}/cmdline"))
        self.assertTrue(os.getxattr(self.mount, "cairn.statistics").startswith(b"{"))
        self.assertTrue(os.getxattr(self.dir, "cairn.policy").startswith(b"ec(4,2)"))
        self.assertEqual(os.stat(self.mount).st_ino, 1)

    def test_a_policy_of_a_directory_is_inherited(self):
        os.mkdir(self.at("mirror"))
        os.setxattr(self.at("mirror"), "cairn.policy", b"ec(1,2)/64K")
        os.mkdir(self.at("mirror/sub"))
        write_file(self.at("mirror/sub/f"), random_bytes(4, 100000))
        layout = self.cluster.layout(self.at("mirror/sub/f"))
        self.assertEqual({chunk["code"] for chunk in layout["chunks"]}, {"ec(1,2)"})
        self.assertEqual({len(chunk["shards"]) for chunk in layout["chunks"]}, {3})

    def test_a_directory_of_five_thousand_names(self):
        names = {f"name-{i:05d}" for i in range(5000)}
        for name in names:
            os.close(os.open(self.at(name), os.O_CREAT | os.O_WRONLY))
        self.assertEqual(set(os.listdir(self.dir)), names)
        self.assertEqual({entry.name for entry in os.scandir(self.dir) if entry.stat().st_size == 0}, names)
        with os.scandir(self.dir) as entries:  # removing while listing, as rm -r does
            for entry in entries:
                os.unlink(entry.path)
        self.assertEqual(os.listdir(self.dir), [])

    def test_modes_owners_and_times(self):
        write_file(self.at("f"), b"x")
        os.chmod(self.at("f"), 0o4751)
        self.assertEqual(stat.S_IMODE(os.stat(self.at("f")).st_mode), 0o4751)
        os.utime(self.at("f"), ns=(1_000_000_000_123_456_789, 1_100_000_000_987_654_321))
        info = os.stat(self.at("f"))
        self.assertEqual((info.st_atime_ns, info.st_mtime_ns), (1_000_000_000_123_456_789, 1_100_000_000_987_654_321))
        before = info.st_ctime_ns
        with open(self.at("f"), "ab") as file:
            file.write(b"y")
        info = os.stat(self.at("f"))
        self.assertGreater(info.st_mtime_ns, 1_100_000_000_987_654_321)
        self.assertGreaterEqual(info.st_ctime_ns, before)
        if os.getuid() == 0:
            os.chown(self.at("f"), 1234, 5678)
            self.assertEqual((os.stat(self.at("f")).st_uid, os.stat(self.at("f")).st_gid), (1234, 5678))
            os.mkdir(self.at("shared"))
            os.chown(self.at("shared"), 0, 5678)
            os.chmod(self.at("shared"), 0o2775)
            os.mkdir(self.at("shared/sub"))
            self.assertEqual(os.stat(self.at("shared/sub")).st_gid, 5678, "a set-group-id directory gives its group")
            self.assertTrue(os.stat(self.at("shared/sub")).st_mode & stat.S_ISGID)

    def test_special_files(self):
        os.mkfifo(self.at("pipe"))
        self.assertTrue(stat.S_ISFIFO(os.stat(self.at("pipe")).st_mode))
        if os.getuid() == 0:
            os.mknod(self.at("null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
            self.assertEqual(os.stat(self.at("null")).st_rdev, os.makedev(1, 3))

    def test_memory_mappings(self):
        data = random_bytes(5, 300000)
        write_file(self.at("map"), data)
        with open(self.at("map"), "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
            self.assertEqual(view[:], data)
            view[1000:1005] = b"HELLO"
            view.flush()
            self.assertEqual(os.pread(file.fileno(), 5, 1000), b"HELLO")
        self.cluster.remount()
        self.assertEqual(read_file(self.at("map")), data[:1000] + b"HELLO" + data[1005:])

    def test_fallocate_grows_punches_and_zeroes(self):
        data = random_bytes(6, 100000)
        write_file(self.at("f"), data)

        def fallocate(*words):
            subprocess.run(["fallocate", *words, self.at("f")], check=True, capture_output=True)

        fallocate("--punch-hole", "--offset", "10000", "--length", "20000")
        expected = bytearray(data)
        expected[10000:30000] = bytes(20000)
        self.assertEqual(read_file(self.at("f")), bytes(expected))
        fallocate("--zero-range", "--offset", "95000", "--length", "10000")
        expected = expected[:95000] + bytes(10000)
        self.assertEqual(read_file(self.at("f")), bytes(expected))
        fallocate("--offset", "0", "--length", "200000")
        self.assertEqual(read_file(self.at("f")), bytes(expected) + bytes(95000))

    def test_statfs_has_room_and_knows_its_blocks(self):
        space = os.statvfs(self.mount)
        self.assertEqual(space.f_bsize, 4096)
        self.assertGreater(space.f_blocks, space.f_bavail - 1)
        self.assertGreater(space.f_bavail, 0)
        self.assertEqual(space.f_namemax, 255)

    def test_a_deep_path(self):
        path = self.dir
        for depth in range(60):
            path = os.path.join(path, f"level-{depth:02d}")
            os.mkdir(path)
        write_file(os.path.join(path, "leaf"), b"deep")
        self.cluster.remount()
        self.assertEqual(read_file(os.path.join(path, "leaf")), b"deep")

    def test_locks_within_a_mount(self):
        with open(self.at("lock"), "w") as first, open(self.at("lock"), "w") as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.assert_errno(errno.EWOULDBLOCK, fcntl.flock, second, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_sqlite_and_git_work_in_it(self):
        script = ("import sqlite3,sys\n"
                  "db=sqlite3.connect(sys.argv[1]); db.execute('pragma journal_mode=wal'); db.execute('create table t(a integer, b text)')\n"
                  "for i in range(20):\n"
                  "    with db: db.executemany('insert into t values(?,?)', [(i*50+j, 'v'*j) for j in range(50)])\n"
                  "print(db.execute('select count(*), sum(a) from t').fetchone(), db.execute('pragma integrity_check').fetchone())\n")
        done = subprocess.run(["python3", "-c", script, self.at("data.db")], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), "(1000, 499500) ('ok',)")
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", self.at("repository")]
        os.mkdir(self.at("repository"))
        subprocess.run([*git, "init", "-q"], check=True)
        for i in range(30):
            write_file(self.at(f"repository/file{i}"), random_bytes(i, 1000 * i), fsync=False)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "all"], check=True)
        subprocess.run([*git, "gc", "-q"], check=True)
        subprocess.run([*git, "fsck", "--strict"], check=True, capture_output=True)
        self.assertEqual(subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True).stdout, b"")


if __name__ == "__main__":
    main()
