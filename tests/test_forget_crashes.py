"""SIGKILL in the middle of a `forget`, at its n-th write to the files: afterwards all is there, or nothing is left.

`TEST_KILLS` sets how many of its writes are tried beside the first and the last (5; `all` tries each).
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from _fakes import subprocess_environment

pytestmark = pytest.mark.skipif(os.name != 'posix', reason='signals are POSIX ones')

ACTORS = """
    import os, random, shutil, signal, sys, threading, traceback
    from pathlib import Path
    import apsw
    from memoranda import Memory
    from memoranda.settings import Settings
    from memoranda.stores.sqlite import sweeping
    from memoranda.testing import HashingEmbedder, ScriptedExtractor
    import memoranda.consent.forgetting, memoranda.recall.search, memoranda.write.intake, memoranda.write.background
    import memoranda.recall.tokens  # once, for all that are forked

    USERS = [f'user{n}' for n in range(6)]
    OLD = '2026-01-05T10:00:00+00:00'
    folder, kills = Path(sys.argv[1]), sys.argv[2]

    def rare(user):
        return f'zq{user}qz'

    def memory(path):
        settings = Settings(workers=0)
        return Memory(path, embedder=HashingEmbedder(), extractor=ScriptedExtractor(), settings=settings)

    class Watching(apsw.VFS):
        '''Files whose n-th write is the last thing this process does.'''
        def __init__(self):
            super().__init__('watching', 'unix', makedefault=True)
            self.lock, self.armed, self.last, self.log = threading.Lock(), False, 0, []
        def xOpen(self, name, flags):
            return File(self, name, flags)
        def note(self, what, file):
            with self.lock:
                if self.armed:
                    self.log.append((what, file))
                    if sum(what == 'write' for what, _ in self.log) == self.last:
                        os.kill(os.getpid(), signal.SIGKILL)

    class File(apsw.VFSFile):
        def __init__(self, vfs, name, flags):
            self.vfs, self.ending = vfs, str(name.filename() if hasattr(name, 'filename') else name).rpartition('.')[2]
            super().__init__('unix', name, flags)
        def xWrite(self, data, offset):
            self.vfs.note('write', self.ending)
            super().xWrite(data, offset)
        def xSync(self, flags):
            super().xSync(flags)
            self.vfs.note('sync', self.ending)

    def fill(path):
        words = random.Random(7)
        with memory(path) as m:
            for turn in range(3):
                for user in USERS:
                    said = [f'{rare(user)} says {turn}-{i} ' + 'w ' * words.randrange(3, 40) for i in range(8)]
                    m.add(said, user_id=user, metadata={'secret': rare(user)}, tags=[rare(user)])

    def forget(path, last, whole, watch):
        write = sweeping._write
        def counted(descriptor, offset, data):
            watch.note('write', 'sweep')
            write(descriptor, offset, data)
        sweeping._write = counted
        m = memory(path)
        m.get_all(user_id='user2')
        watch.last, watch.armed = last, True
        if whole:
            m.project_wide().forget(whole_project=True)
        else:
            m.forget(user_id='user2')
        watch.armed = False
        m.close()

    def in_child(function):
        '''What a forked process says before it ends; None when it was killed.'''
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.write(write, repr(function()).encode())
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        os.close(write)
        with os.fdopen(read) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        assert status in (0, signal.SIGKILL), status
        return eval(said) if said else None

    def play(path, last, whole):
        watch = Watching()
        forget(path, last, whole, watch)
        return watch.log

    def left(path):
        data = b''.join(p.read_bytes() for p in path.parent.iterdir() if p.name.startswith(path.name))
        return {user: data.count(rare(user).encode()) for user in USERS}

    def check(path, whole):
        '''Whether it had come to the commit; and that nothing is left then, or that all is there.'''
        gone = USERS if whole else ['user2']
        with memory(path) as m:
            assert m.finish_erasure()
            held = {user: len(m.episodes(user_id=user).items) for user in USERS}
            committed = held[gone[0]] == 0
            assert held == {user: 0 if committed and user in gone else 24 for user in USERS}, held
            if committed:
                old = [{'role': 'user', 'content': 'x y z', 'timestamp': OLD}]
                assert m.add(old, user_id=gone[0]).skipped == {'forgotten': 1}
            elif whole:
                m.project_wide().forget(whole_project=True)
            else:
                m.forget(user_id='user2')
            assert not m.stats().scrub_pending
        found = left(path)
        assert all((found[user] == 0) == (user in gone) for user in USERS), found
        connection = apsw.Connection(str(path))
        assert connection.pragma('integrity_check') == 'ok'
        connection.close()
        return committed
"""
KILLED = """
    whole = sys.argv[3] == 'project'
    origin = folder / 'origin.db'
    in_child(lambda: fill(origin))
    counted = folder / 'counted.db'
    shutil.copy(origin, counted)
    writes = sum(what == 'write' for what, _ in in_child(lambda: play(counted, 0, whole)))
    points = list(range(1, writes + 1))
    if kills != 'all':
        points = sorted(random.Random(3).sample(points, min(len(points), int(kills))) + [1, writes])
    committed = []
    for point in points:
        path = folder / f'{point}.db'
        shutil.copy(origin, path)
        assert in_child(lambda: play(path, point, whole)) is None, point
        committed.append(in_child(lambda: check(path, whole)))
    print(writes, len(points), sum(committed))
    assert committed == sorted(committed) and not committed[0] and committed[-1], committed
"""
SYNCED = """
    path = folder / 'm.db'
    in_child(lambda: fill(path))
    def watched():
        watch = Watching()
        reader = apsw.Connection(str(path), vfs='unix')
        reader.execute('BEGIN')
        reader.execute('SELECT count(*) FROM memory').fetchone()  # so that the log can not be emptied
        m = memory(path)
        m.get_all(user_id='user2')
        watch.armed = True
        assert m.forget(user_id='user2').stores == {'database': 'logical'}
        forgotten = list(watch.log)
        watch.log.clear()
        m.add('Likes tea', user_id='user2')
        return forgotten, list(watch.log)
    forgotten, added = in_child(watched)
    ends = [what for what, file in forgotten if file == 'db-wal']
    print(ends[-1], 'write' in ends, 'sync' in [what for what, file in added if file == 'db-wal'])
"""


def run(code: str, *arguments: object) -> list[str]:
    source = textwrap.dedent(ACTORS) + textwrap.dedent(code)
    environment = {k: v for k, v in subprocess_environment().items() if not k.startswith('MEMORANDA_')}
    ran = subprocess.run(
        [sys.executable, '-c', source, *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=1100, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, '')
    return ran.stdout.split()


@pytest.mark.parametrize('what', ['user', 'project'])
def test_a_process_that_is_killed_while_it_forgets_leaves_all_or_nothing(tmp_path: Path, what: str) -> None:
    kills = os.environ.get('TEST_KILLS', '5')
    writes, tried, committed = map(int, run(KILLED, tmp_path, kills, what))
    assert writes > tried > committed > 0 or kills == 'all'


def test_what_is_forgotten_is_on_the_disk_before_the_call_returns(tmp_path: Path) -> None:
    """Other writes of this setting are not: they survive the death of the process, not the loss of power."""
    assert run(SYNCED, tmp_path, '') == ['sync', 'True', 'False']
