"""The topics that the SQL tests read. Each message names its partition and time (ms): what they print is known."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from support.broker import ExistingBroker  # noqa: E402

MINUTE = 60_000
NEW_YEAR_2024 = 1_704_067_200_000


def clicks(broker):
    """Three messages in partition 0 and two in partition 1, a minute apart, with keys and headers."""
    broker.create_topic("clicks", partitions=2)
    broker.produce("clicks", *(
        {"partition": number % 2, "timestamp": NEW_YEAR_2024 + number * MINUTE, "key": f"user-{number}",
         "headers": [("source", b"web"), ("try", str(number).encode())],
         "value": f'{{"id": {number}, "page_url": "/page/{number}", "geo": {{"city": "Oslo"}}}}'}
        for number in range(5)))


def empty(broker):
    broker.create_topic("empty")


def main():
    broker = ExistingBroker(os.environ["KAFKA_BOOTSTRAP"])
    for make in (clicks, empty):
        make(broker)


if __name__ == "__main__":
    main()
