"""What the web server and the workers of the shop share: the goods, and where orders are.

An order is a file. It is written aside and renamed into var/new, taken by a rename into var/taken/WORKER, and becomes
an invoice in var/done. A rename either happens or does not, so no order is lost or billed twice, whoever dies when.
"""
import json
import os
import pathlib

VAR = pathlib.Path(__file__).parent / "var"
NEW, TAKEN, DONE, ASIDE = (VAR / name for name in ("new", "taken", "done", "aside"))
ADDRESS = VAR / "address"
GOODS = {"tea": 450, "coffee": 620, "cup": 890, "kettle": 3900}
WORKER = os.environ.get("PS", f"pid-{os.getpid()}")


def prepare():
    for directory in (NEW, TAKEN / WORKER, DONE, ASIDE):
        directory.mkdir(parents=True, exist_ok=True)


def write(path, text):
    """The whole file appears at once or not at all."""
    aside = ASIDE / f"{path.name}.{os.getpid()}"
    aside.write_text(text)
    aside.rename(path)


def read(path):
    return json.loads(path.read_text())


def euro(cents):
    return f"{cents // 100}.{cents % 100:02d}"
