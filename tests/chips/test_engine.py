"""One suite over every engine: results in order, whoever dies; errors as they were raised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from geolabel.chips import cluster
from geolabel.chips.engine import Serial, choose_engine
from geolabel.chips.processes import TRIES, Processes
from geolabel.errors import InvalidRaster, InvalidSpec, NotFound, StorageFull, WorkerLost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geolabel.chips.engine import Engine


@pytest.fixture(scope="module", params=["serial", "processes:1", "processes:3", "dask"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param != "dask":
        yield choose_engine(request.param, 100)
        return
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster:
        yield choose_engine(f"dask:{cluster.scheduler_address}", 100)


def square(number: int) -> int:
    time.sleep(0.01 * (number % 3))  # later tasks overtake earlier ones
    return number * number


def fail_at_seven(number: int) -> int:
    if number == 7:
        raise InvalidRaster("The seventh cannot be read.")
    return number


def die_once(mark: Path) -> int:
    """Kill the process that is at it, the first time."""
    if mark.name == "5" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return int(mark.name)


def die_always(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail_oddly(number: int) -> NoReturn:
    raise StorageFull(f"{number} finds no room.", "No room.", needed=1, free=0)


def test_results_come_in_order(engine: Engine) -> None:
    assert list(engine.run(square, range(40))) == [n * n for n in range(40)]
    assert list(engine.run(square, [])) == []


def test_an_error_is_what_was_raised_and_comes_where_it_was_raised(engine: Engine) -> None:
    results = engine.run(fail_at_seven, range(20))
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(InvalidRaster, match="The seventh cannot be read"):
        next(results)


def test_tasks_are_taken_when_somebody_can_do_them(engine: Engine) -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    results = engine.run(square, tasks())
    assert next(results) == 0
    results.close()
    assert len(taken) < 100


@pytest.mark.parametrize("engine", ["processes:1", "processes:3", "dask"], indirect=True)
def test_the_task_of_a_worker_that_died_is_done_again(engine: Engine, tmp_path: Path) -> None:
    assert list(engine.run(die_once, [tmp_path / str(n) for n in range(20)])) == list(range(20))
    assert (tmp_path / "5").exists()


def test_a_task_that_kills_every_worker_is_named() -> None:
    with pytest.raises(WorkerLost, match=rf"The process that was to build 3 was killed \(SIGKILL\), {TRIES} times"):
        list(Processes(2).run(die_always, range(9)))


def test_an_error_that_cannot_travel_still_says_its_sentence() -> None:
    with pytest.raises(Exception, match="finds no room"):
        list(Processes(1).run(fail_oddly, range(2)))


def test_no_process_is_left() -> None:
    results = Processes(2).run(square, range(1000))
    next(results)
    results.close()
    assert workers() == []


def mark(folder: Path) -> None:
    (folder / str(os.getpid())).touch()


def marked(folder: Path) -> bool:
    """Whether this process is a copy of one that was made ready; the third task kills it once."""
    if folder.name == "3" and not (folder.parent / "killed").exists():
        (folder.parent / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return (folder.parent / "ready" / str(os.getppid())).exists()


def test_what_is_begun_early_is_made_ready_once_and_then_used(tmp_path: Path) -> None:
    (tmp_path / "ready").mkdir()
    engine = Processes(2)
    engine.begin(marked, partial(mark, tmp_path / "ready"))
    while not list((tmp_path / "ready").iterdir()):
        time.sleep(0.01)
    assert list(engine.run(marked, [tmp_path / str(n) for n in range(20)])) == [True] * 20
    assert (tmp_path / "killed").exists()
    assert len(list((tmp_path / "ready").iterdir())) == 1, "the one that all others are copies of"


def test_what_is_begun_and_never_used_is_ended() -> None:
    engine = Processes(2)
    engine.begin(marked)
    assert engine._begun is not None
    process = engine._begun._server.process
    assert process.poll() is None
    engine.close()
    assert process.poll() == -signal.SIGKILL
    assert workers() == []


def kill_the_server_too(mark: Path) -> int:
    """Kill the process that is at it and the one that it is a copy of, the first time."""
    if mark.name == "5" and not mark.exists():
        mark.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return int(mark.name)


def test_a_server_that_died_is_started_again(tmp_path: Path) -> None:
    assert list(Processes(2).run(kill_the_server_too, [tmp_path / str(n) for n in range(20)])) == list(range(20))
    assert (tmp_path / "5").exists()
    assert workers() == []


def kill_this_one() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_server_that_dies_over_and_over_is_a_sentence() -> None:
    engine = Processes(2)
    engine.begin(square, kill_this_one)
    with pytest.raises(WorkerLost, match=rf"that starts those that build chips was killed \(SIGKILL\), {TRIES} times"):
        list(engine.run(square, range(3)))
    assert workers() == []


def test_workers_end_with_the_process_that_wants_them(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_engine import note_and_sleep
from geolabel.chips.processes import Processes
list(Processes(2).run(note_and_sleep, [{str(tmp_path)!r}] * 2))
"""
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        while len(list(tmp_path.iterdir())) < 2:
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()
    for file in tmp_path.iterdir():
        while _lives(int(file.name)):
            time.sleep(0.01)


def note_and_sleep(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(3600)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def workers() -> list[bytes]:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    return [command for command in commands if b"geolabel.chips.worker" in command]


@pytest.mark.parametrize("name", ["threads", "processes:0", "processes:many", "serial:2", "", "processes:-1"])
def test_an_engine_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidSpec, match=r"engine must be one of|needs a whole number"):
        choose_engine(name, 100)


def test_no_scheduler_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 1)
    with pytest.raises(NotFound, match="No Dask scheduler answers at 'tcp://127.0.0.1:1'"):
        list(choose_engine("dask:tcp://127.0.0.1:1", 100).run(square, [1]))


def test_little_work_starts_no_process() -> None:
    assert isinstance(choose_engine(None, 3), Serial)
