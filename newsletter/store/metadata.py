"""What all tables share: naming of constraints, which migrations rely on, and a type of key."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

MANY = BigInteger().with_variant(Integer, "sqlite")
"""A key that must not run out: on PostgreSQL an import uses one for every row, even known ones."""
