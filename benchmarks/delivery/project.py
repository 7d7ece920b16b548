"""A newsletter of its own to send: the sample issue with merge fields, and a list of readers."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.delivery.measure import Run, run_child
from benchmarks.delivery.people import write_readers

HERE = Path(__file__).parents[2]
SAMPLE = "neck-muscles-and-migraine.md"
ENVIRONMENT = {
    "NEWSLETTER_TRANSPORT": "smtp",
    "NEWSLETTER_SMTP__SECURITY": "none",
    "NEWSLETTER_SECRET_KEY": "s" * 48,
    "NEWSLETTER_SUPPRESSION_KEY": "p" * 48,
    "NEWSLETTER_USER": "bench",
}


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with settings, an article and a database; commands run in it as processes.

    ``environment`` is what differs from the usual: where the database is, say.
    """

    folder: Path
    environment: Mapping[str, str]

    @property
    def issue(self) -> Path:
        return self.folder / "issues" / SAMPLE

    def run(self, *arguments: object, **environment: str) -> Run:
        """Run ``send.py`` with these arguments, measured."""
        own = {name: value for name, value in os.environ.items() if "NEWSLETTER" not in name}
        command = [sys.executable, HERE / "send.py", "--config", self.folder / "newsletter.toml"]
        wanted = {**own, **ENVIRONMENT, **self.environment, **environment}
        return run_child([*command, *arguments], wanted)

    def prepare(self, readers: int) -> None:
        """Import so many readers, and approve."""
        people = write_readers(self.folder, readers)
        self.run("subscribers", "import", people, "--list", "readers")
        self.run("approve", self.issue, "--list", "readers")

    def send(self, readers: int, port: int, **environment: str) -> Run:
        """Send to all of them, from the command line to the last reply.

        Raises:
            SystemExit: Not everybody was accepted.
        """
        command = ["send", self.issue, "--list", "readers", "--live", "--confirm", readers]
        done = self.run(*command, "--json", NEWSLETTER_SMTP__PORT=str(port), **environment)
        accepted = json.loads(done.output)["accepted"]
        if accepted != readers:
            raise SystemExit(f"{accepted} of {readers} accepted")
        return done

    def copy(self, folder: Path, **environment: str) -> Project:
        """A copy with its files as they are now, in a folder that is emptied first."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        return Project(folder, {**self.environment, **environment})


def make_project(folder: Path, **environment: str) -> Project:
    """Make a project in a folder that does not exist yet."""
    for name in ("issues", "templates"):
        shutil.copytree(HERE / name, folder / name)
    project = Project(folder, environment)
    article = (HERE / "issues" / SAMPLE).read_text(encoding="utf-8")
    subject = "subject: '{{ first_name | default(\"You\") }}: what four studies say'"
    article = re.sub(r"(?m)^subject: .*$", subject, article, count=1)
    article += '\nWritten for our readers in {{ city | default("your town") }}.\n'
    project.issue.write_text(article, encoding="utf-8")
    shutil.copy(HERE / "newsletter.toml", folder)
    return project
