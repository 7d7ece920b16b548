"""All tables together: migrations, backup, copy, restore."""
