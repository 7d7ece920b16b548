"""Templates: errors name file and line, and no file outside the project is read."""

from pathlib import Path

import pytest

from newsletter.errors import InputError
from tests.unit.render.conftest import Compile


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / "templates" / "email" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def refuse(build: Compile) -> InputError:
    with pytest.raises(InputError) as caught:
        build()
    return caught.value


def test_an_undefined_variable(root: Path, build: Compile) -> None:
    edit(root, "footer.mjml", "{{ publication.postal_address }}", "{{ publication.addres }}")
    error = refuse(build)
    assert (error.file, error.line) == (Path("templates/email/footer.mjml"), 14)
    assert "addres" in error.message


def test_a_syntax_error_in_a_partial(root: Path, build: Compile) -> None:
    edit(root, "hero.mjml", "{% endif %}", "")
    error = refuse(build)
    assert error.file == Path("templates/email/hero.mjml")
    assert error.line


def test_an_unknown_tag_in_a_partial(root: Path, build: Compile) -> None:
    edit(root, "action.mjml", "<mj-text", "<mj-textt")
    edit(root, "action.mjml", "</mj-text>", "</mj-textt>")
    error = refuse(build)
    assert (error.file, error.line) == (Path("templates/email/action.mjml"), 9)
    assert "did you mean mj-text?" in error.fix


def test_a_mistake_while_rendering(root: Path, build: Compile) -> None:
    edit(root, "article.txt", "{{ date }}", "{{ date / 2 }}")
    error = refuse(build)
    assert (error.file, error.line) == (Path("templates/email/article.txt"), 2)


def test_a_missing_template(build: Compile) -> None:
    with pytest.raises(InputError, match=r"templates/email/letter\.mjml does not exist"):
        build(head="template: letter\n")


def test_a_missing_partial(root: Path, build: Compile) -> None:
    (root / "templates/email/hero.mjml").unlink()
    error = refuse(build)
    assert "templates/email/hero.mjml does not exist" in error.message
    assert (error.file, error.line) == (Path("templates/email/article.mjml"), 4)


def test_a_symbolic_link_out_of_the_project(
    root: Path, build: Compile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "hero.mjml"
    outside.write_text("<!-- secret -->", encoding="utf-8")
    path = root / "templates" / "email" / "hero.mjml"
    path.unlink()
    path.symlink_to(outside)
    assert "outside the project" in refuse(build).message


@pytest.mark.parametrize("path", ["../newsletter.toml", "/etc/hostname"])
def test_a_path_out_of_the_templates(root: Path, build: Compile, path: str) -> None:
    edit(root, "article.mjml", "email/hero.mjml", path)
    assert "does not exist" in refuse(build).message


def test_templates_are_sandboxed(root: Path, build: Compile) -> None:
    edit(root, "footer.mjml", "{{ publication.postal_address }}", "{{ ''.__class__.__mro__ }}")
    error = refuse(build)
    assert (error.file, error.line) == (Path("templates/email/footer.mjml"), 14)


def test_an_edited_template_is_used_at_once(root: Path, build: Compile) -> None:
    before = build()
    edit(root, "footer.mjml", "You get this mail", "You receive this letter")
    after = build()
    assert before.digest != after.digest
    assert "You receive this letter" in "".join(after.variants[0].html.segments)
