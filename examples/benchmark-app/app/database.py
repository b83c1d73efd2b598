"""The app's logical connections, as config/database.ini names them."""

import configparser
import os
import sys

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def settings(name):
    config = configparser.ConfigParser()
    config.read(os.path.join(ROOT, "config/database.ini"))
    return config[name]


def connect(name):
    """A connection by its logical name: `primary` or `queue`."""
    database = settings(name)["database"]
    try:
        return psycopg2.connect(dbname=database, application_name=os.environ.get("PS", "console"))
    except psycopg2.OperationalError as error:
        sys.exit(f"no database {database}: {error}`make db prepare` starts one and makes its tables")
