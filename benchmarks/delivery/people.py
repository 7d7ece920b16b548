"""The readers that everybody sends to."""

from __future__ import annotations

from pathlib import Path

NAMES = ("Maria", "Zoë", "O’Brien", "Wei", "Anna-Lena")
CITIES = ("Los Angeles", "Ávila", "Bath", "Łódź")


def person(number: int) -> dict[str, str]:
    """One reader; the same number is always the same person."""
    return {
        "email": f"reader{number}@d{number % 500}.example",
        "first_name": NAMES[number % len(NAMES)],
        "last_name": f"Tester {number % 977}",
        "city": CITIES[number % len(CITIES)],
    }


def write_readers(folder: Path, readers: int) -> Path:
    """A CSV file of so many people."""
    path = folder / "readers.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("email,first_name,last_name,city\n")
        for number in range(readers):
            file.write(",".join(person(number).values()) + "\n")
    return path
