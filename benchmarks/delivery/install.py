"""The peers' packages, put into the cache: they are no dependencies of this project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.delivery.sink import CACHE

PACKAGES = ("jinja2", "django>=5.2,<6", "aiosmtplib>=5")
NODEMAILER = "nodemailer@>=7"


def peers_python() -> Path:
    """The Python of a virtual environment that holds the peers."""
    folder = CACHE.resolve() / "venv"
    if not (folder / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True)
        (folder / ".ready").touch()
    return folder / "bin/python"


def node_modules() -> Path:
    """A folder under which nodemailer is installed."""
    folder = CACHE.resolve() / "node"
    if not (folder / "node_modules/nodemailer").exists():
        folder.mkdir(parents=True, exist_ok=True)
        quiet = ["--silent", "--no-fund", "--no-audit", "--prefix", folder]
        subprocess.run(["npm", "install", *quiet, NODEMAILER], check=True)
    return folder


def versions() -> str:
    """What was installed, in one line."""
    freeze = [peers_python(), "-m", "pip", "list", "--format=freeze"]
    lines = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.split()
    wanted = [
        line for line in lines if line.split("==")[0].lower() in {"django", "jinja2", "aiosmtplib"}
    ]
    package = (node_modules() / "node_modules/nodemailer/package.json").read_text(encoding="utf-8")
    found = package.partition('"version": "')[2].partition('"')[0]
    return ", ".join([*(line.replace("==", " ") for line in wanted), f"nodemailer {found}"])
