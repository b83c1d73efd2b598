"""Makes the database if it is missing, and runs the migrations of each logical connection that have not run."""

import os

import psycopg2

from database import ROOT, connect, settings


def create(name):
    maintenance = psycopg2.connect(dbname="postgres")
    maintenance.autocommit = True
    with maintenance.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(f'CREATE DATABASE "{name}"')
            print(f"made database {name}")
    maintenance.close()


def migrate(name):
    directory, table = settings(name)["migrations"], settings(name)["migrations_table"]
    with connect(name) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {table} (version text PRIMARY KEY)")
        cursor.execute(f"SELECT version FROM {table}")
        known = {version for (version,) in cursor.fetchall()}
        for file in sorted(os.listdir(os.path.join(ROOT, directory))):
            if file not in known:
                with open(os.path.join(ROOT, directory, file)) as migration:
                    cursor.execute(migration.read())
                cursor.execute(f"INSERT INTO {table} VALUES (%s)", (file,))
                print(f"{name}: {file}")


for logical in ("primary", "queue"):
    create(settings(logical)["database"])
    migrate(logical)
