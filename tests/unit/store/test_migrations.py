"""An empty database becomes the schema, and a newer one is left alone."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from newsletter.database.migrate import HEAD, alembic_config, current, upgrade
from newsletter.errors import RefusedError
from newsletter.store.metadata import metadata


def test_an_empty_database_becomes_exactly_the_schema(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/x.db")
    upgrade(engine)
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), metadata)
    assert difference == []
    assert current(engine) == HEAD
    engine.dispose()


def test_the_known_head_is_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/x.db")
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO mailing_list (name, created_at) VALUES ('a', 1)"))
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM mailing_list")).scalar() == 1
    engine.dispose()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/x.db")
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RefusedError, match="newer than this program"):
        upgrade(engine)
    engine.dispose()
