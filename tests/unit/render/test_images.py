"""Pictures: which are accepted, and which are refused at their line."""

import shutil
from pathlib import Path

import pytest
from lxml import html as lxml_html
from PIL import Image as Pillow

from newsletter.errors import InputError
from tests.unit.render.conftest import Compile


def refuse(build: Compile, source: str) -> InputError:
    with pytest.raises(InputError) as caught:
        build(f"One.\n\n![Alt]({source})\n")
    assert caught.value.line == 8
    assert caught.value.fix
    return caught.value


def test_widths_are_as_laid_out(root: Path, build: Compile) -> None:
    body = "![Wide](pictures/wide.png)\n\n![Small](pictures/small.png)\n"
    compiled = build(body, head="hero: {image: pictures/wide.png, alt: Hero}\n")
    images = lxml_html.fromstring("".join(compiled.variants[0].html.segments)).iter("img")
    assert [(i.get("alt"), i.get("width")) for i in images] == [
        ("Hero", "552"),
        ("Wide", "520"),
        ("Small", "300"),
    ]


def test_a_picture_is_named_by_its_content(root: Path, build: Compile) -> None:
    shutil.copy(root / "pictures/small.png", root / "pictures/twin.png")
    compiled = build("![A](pictures/small.png) ![B](pictures/twin.png)\n")
    (image,) = compiled.images
    assert (image.suffix, image.width, image.height) == (".png", 300, 120)
    assert image.size == (root / "pictures/small.png").stat().st_size
    html = "".join(compiled.variants[0].html.segments)
    assert html.count(f"https://news.clinic.example/media/{image.sha256}.png") == 2


def test_its_path_is_relative_to_the_project(build: Compile) -> None:
    assert build("![A](pictures/small.png)\n").images[0].path == Path("pictures/small.png")


@pytest.mark.parametrize(("form", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("GIF", ".gif")])
def test_the_suffix_depends_on_the_content(
    root: Path, build: Compile, form: str, suffix: str
) -> None:
    Pillow.new("RGB", (4, 4)).save(root / "a.bin", form)
    assert build("![A](a.bin)\n").images[0].suffix == suffix


def test_a_file_name_may_contain_a_space(root: Path, build: Compile) -> None:
    shutil.copy(root / "pictures/small.png", root / "näck 1%.png")
    assert build("![A](<näck 1%25.png>)\n").images[0].path == Path("näck 1%.png")
    head = "hero: {image: näck 1%.png, alt: A}\n"
    assert build(head=head).images[0].path == Path("näck 1%.png")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.png", "does not exist"),
        ("pictures", "does not exist"),
        ("../../../etc/hostname", "outside the project"),
        ("/etc/hostname", "outside the project"),
        ("https://clinic.example/a.png", "not a file"),
        ("//clinic.example/a.png", "not a file"),
        ("newsletter.toml", "not a readable PNG"),
    ],
)
def test_other_sources_are_refused(build: Compile, source: str, message: str) -> None:
    assert message in refuse(build, source).message


def test_a_misspelled_picture_gets_a_suggestion(root: Path, build: Compile) -> None:
    assert refuse(build, "pictures/smal.png").fix == "did you mean pictures/small.png?"
    assert refuse(build, "pictures/Small.jpg").fix == "did you mean pictures/small.png?"
    assert "in the article's folder" in refuse(build, "pictures/knee.png").fix
    assert "in the article's folder" in refuse(build, "picture/small.png").fix


@pytest.mark.parametrize("form", ["BMP", "TIFF", "WEBP"])
def test_other_kinds(root: Path, build: Compile, form: str) -> None:
    Pillow.new("RGB", (4, 4)).save(root / "a.png", form)
    assert "not a readable PNG" in refuse(build, "a.png").message


def test_svg(root: Path, build: Compile) -> None:
    (root / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    assert "not a readable PNG" in refuse(build, "a.svg").message


def test_a_cut_off_file(root: Path, build: Compile) -> None:
    data = (root / "pictures/wide.png").read_bytes()
    (root / "a.png").write_bytes(data[:-30])
    assert "not a readable PNG" in refuse(build, "a.png").message


def test_a_file_of_more_than_5_mb(root: Path, build: Compile) -> None:
    data = (root / "pictures/small.png").read_bytes()
    (root / "a.png").write_bytes(data + b"\x00" * 5_000_000)
    assert "larger than 5 MB" in refuse(build, "a.png").message


def test_a_symbolic_link_out_of_the_project(
    root: Path, build: Compile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "a.png"
    shutil.copy(root / "pictures/small.png", outside)
    (root / "a.png").symlink_to(outside)
    assert "outside the project" in refuse(build, "a.png").message


def test_a_missing_hero_names_its_line(build: Compile) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        build(head="hero:\n  image: none.png\n  alt: A\n")
    assert caught.value.line == 6
