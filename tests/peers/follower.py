"""LaunchDarkly's SDK in daemon mode with its defaults, evaluating all the time. Prints `ready`, then a line for each
change of a flag: its number and what it gave. Started by the tests of outages, which look at the clock."""

from __future__ import annotations

import logging
import sys
import time

from ldclient import Context, LDClient
from ldclient.config import Config
from ldclient.feature_store import CacheConfig
from ldclient.integrations import Redis


def main(url: str, prefix: str, count: int) -> None:
    logging.getLogger("ldclient").setLevel(logging.CRITICAL)
    store = Redis.new_feature_store(url=url, prefix=prefix, caching=CacheConfig.default())
    client = LDClient(Config("sdk-key", feature_store=store, use_ldd=True, send_events=False))
    context = Context.create("ada")
    last: dict[int, str] = {}
    print("ready", flush=True)
    while True:
        for number in range(count):
            value = client.variation(f"flag-{number}", context, "default")
            if last.get(number) != value:
                last[number] = value
                print(number, value, flush=True)
        time.sleep(0.003)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
