"""Races that exactly one process may win, on whichever side."""

import errno
import os

from . import calls
from .place import check


def attempt(me, call, *names):
    """None, or the errno of the refusal. call: a function of this module, by name (it goes through a pipe)."""
    paths = [me.path(name) for name in names]
    me.together()
    try:
        ATTEMPTS[call](*paths)
        return None
    except OSError as error:
        return error.errno


ATTEMPTS = {
    "create": lambda path: os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)),
    "mkdir": os.mkdir,
    "symlink": lambda path: os.symlink("target", path),
    "link": os.link,
    "rename_new": calls.rename_new,
    "rename": os.rename,
    "unlink": os.unlink,
    "rmdir": os.rmdir,
}


def judge(place, crew, answers, refusal):
    winners = [worker.name for worker, answer in zip(crew.workers, answers) if answer is None]
    refused = {answer for answer in answers if answer is not None}
    if len(winners) != 1 or refused - {refusal}:
        got = {worker.name: "won" if answer is None else os.strerror(answer) for worker, answer in zip(crew.workers, answers)}
        place.fail(f"{len(winners)} winners instead of one, or a wrong refusal: {got}")
    return winners[0]


def race(name, call, refusal, prepare, names, after=None, promise=""):
    """prepare(hand, name, crew) makes what is fought for and returns its names; names(name, worker) are the arguments of each."""
    def run(place):
        with place.crew() as crew:
            for number in place.rounds():
                word = place.new()
                made = prepare(place.random.choice((place.a, place.b)), word, crew)
                if number % 2 == 0:   # both sides know them before; else they come to it cold
                    for hand in (place.a, place.b):
                        place.same([hand.exists(one) for one in made], [True] * len(made), f"does {hand.who} see what was made")
                answers = crew.each([(attempt, call, *names(word, worker)) for worker in crew.workers])
                winner = judge(place, crew, answers, refusal)
                if after:
                    after(place, word, winner)
    check(run, name=f"one-winner-{name}", promise=promise)


def nothing(hand, name, crew):
    return []


def one_file(hand, name, crew):
    hand.write_new(name, b"")
    return [name]


def one_directory(hand, name, crew):
    hand.mkdir(name)
    return [name]


def own_files(hand, name, crew):
    for worker in crew.workers:
        hand.write_new(f"{name}.{worker.name}", worker.name.encode())
    return [f"{name}.{worker.name}" for worker in crew.workers]


def is_the_winners(place, name, winner):
    for hand in (place.a, place.b):
        place.same(hand.read_whole(name), winner.encode(), f"the file of the winner as {hand.who} reads it")


def is_gone(place, name, winner):
    for hand in (place.a, place.b):
        place.expect(not hand.exists(name), f"it is still there for {hand.who}")


race("create", "create", errno.EEXIST, nothing, lambda name, worker: (name,), promise="O_EXCL: one creates the file")
race("mkdir", "mkdir", errno.EEXIST, nothing, lambda name, worker: (name,), promise="one makes the directory")
race("symlink", "symlink", errno.EEXIST, nothing, lambda name, worker: (name,), promise="one makes the symbolic link")
race("link", "link", errno.EEXIST, own_files, lambda name, worker: (f"{name}.{worker.name}", name), is_the_winners,
     "one links its file to the name")
race("rename-noreplace", "rename_new", errno.EEXIST, own_files, lambda name, worker: (f"{name}.{worker.name}", name), is_the_winners,
     "RENAME_NOREPLACE: one gives its file the name")
race("rename", "rename", errno.ENOENT, one_file, lambda name, worker: (name, f"{name}.{worker.name}"), is_gone,
     "one renames the file away")
race("unlink", "unlink", errno.ENOENT, one_file, lambda name, worker: (name,), is_gone, "one unlinks the name")
race("rmdir", "rmdir", errno.ENOENT, one_directory, lambda name, worker: (name,), is_gone,
     "one removes the directory")


@check
def one_winner_rename_over(place):
    """All rename their file over one name: all succeed, one file is left, and the others are gone."""
    with place.crew() as crew:
        for _ in place.rounds():
            name = place.new()
            own_files(place.a, name, crew)
            answers = crew.each([(attempt, "rename", f"{name}.{worker.name}", name) for worker in crew.workers])
            place.same(answers, [None] * len(answers), "the errnos")
            content = place.a.read_whole(name)
            place.expect(content.decode() in [worker.name for worker in crew.workers], f"nobody's content: {content!r}")
            place.same(place.b.read_whole(name), content, "what B reads")
            for hand in (place.a, place.b):
                place.same([one for one in hand.listdir(".") if one.startswith(name + ".")], [], f"leftovers for {hand.who}")
            place.a.unlink(name)


@check
def directory_or_its_file(place):
    """rmdir against a create inside: one of them fails, and never is a file lost in a directory that is gone."""
    with place.crew(per_side=1) as crew:
        for number in place.rounds():
            name = place.new()
            place.a.mkdir(name)
            works = [(attempt, "rmdir", name), (attempt, "create", f"{name}/inside")]
            removed, created = crew.each(works)[:] if number % 2 else reversed(crew.each(works[::-1]))
            both = (removed is None, created is None)
            there = [hand.exists(f"{name}/inside") for hand in (place.a, place.b)]
            place.expect(both in ((True, False), (False, True)), f"rmdir: {removed}, create: {created} (errnos; one must fail)")
            place.same(there, [created is None] * 2, "is the file there for A, and for B")
