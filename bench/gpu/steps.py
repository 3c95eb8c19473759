"""Programs that run for a bounded time, all of them before one deadline."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

# Seconds that a program has to end after SIGTERM, before SIGKILL.
GRACE = 10
# Less is too little to start anything.
LEAST = 5


class Failure(Exception):
    """Why a step has no result."""


@dataclass
class Ended:
    """A program that has ended."""

    name: str
    # None: it never ran. Negative: the signal that ended it.
    code: int | None
    out: str = ""
    err: str = ""
    seconds: float = 0
    timed_out: bool = False

    def last_line(self):
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else ""

    def check(self):
        """Raises unless it ended well."""
        if self.timed_out:
            raise Failure(f"stopped after {self.seconds:.0f} s")
        if self.code:
            raise Failure(f"ended with {self.code}: {self.last_line()}")


@dataclass
class Steps:
    """Runs programs; knows how each ended and which steps failed."""

    folder: Path
    seconds: float
    environment: dict
    ended: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    def __post_init__(self):
        self.start = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.start

    def run(self, name, command, limit, until=None, **environment):
        """Runs a command for at most `limit` seconds. With `until`, it is a server: SIGTERM follows
        as soon as a line of its log has one of these texts."""
        limit = min(limit, self.seconds - self.elapsed())
        if limit < LEAST:
            raise Failure("not run: no time was left")
        print(f"{self.elapsed():4.0f} s  {name}", file=sys.stderr, flush=True)
        logs = [self.folder / f"{len(self.ended):02}.{kind}" for kind in ("out", "err")]
        started = time.monotonic()
        with open(logs[0], "w") as out, open(logs[1], "w") as err:
            try:
                process = subprocess.Popen(
                    list(map(str, command)),
                    cwd=self.folder,
                    env={**self.environment, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except OSError as error:
                raise Failure(str(error)) from error
            try:
                timed_out = not wait(process, limit, logs[1], until)
                if process.poll() is None:
                    process.terminate()
                    wait(process, GRACE)
            finally:
                kill_group(process)
        out, err = (log.read_text(errors="replace") for log in logs)
        seconds = time.monotonic() - started
        ended = Ended(name, process.returncode, out, err, seconds, timed_out)
        self.ended.append(ended)
        return ended

    def attempt(self, name, step, *arguments):
        """A step's result, or None and a line among the failures."""
        try:
            return step(self, *arguments)
        except Failure as failure:
            self.failures.append((name, str(failure)))
        except Exception as error:
            # What a program printed was not what was expected; the other steps go on.
            self.failures.append((name, repr(error)))
        return None


def wait(process, limit, log=None, until=None):
    """Whether the process ended, or wrote one of the texts, in time."""
    end = time.monotonic() + limit
    while process.poll() is None:
        if until and any(text in log.read_text(errors="replace") for text in until):
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def kill_group(process):
    """Ends the process and those that it left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
