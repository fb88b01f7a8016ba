"""Runs callers of the Python openlimit in a loop for a second, and prints the time of each granted call.

Arguments: the server's URL, callers, requests a second, tokens a second, tokens a call.
"""

import asyncio
import os
import sys
import time

import tiktoken

# The import would fetch vocabularies. The calls here name their tokens.
tiktoken.get_encoding = lambda name: None

from openlimit import ChatRateLimiterWithRedis


async def again_and_again(limiter, tokens, times):
    while True:
        start = time.monotonic()
        await limiter.wait_for_capacity(tokens)
        times.append(time.monotonic() - start)


async def main(url, callers, requests, tokens, cost):
    limiter = ChatRateLimiterWithRedis(requests * 60, tokens * 60, redis_url=url)
    # Connects.
    await limiter.wait_for_capacity(cost)
    times = []
    tasks = [asyncio.create_task(again_and_again(limiter, cost, times)) for _ in range(callers)]
    failed, _ = await asyncio.wait(tasks, timeout=1, return_when=asyncio.FIRST_EXCEPTION)
    for task in failed:
        task.result()
    print(*times, sep="\n", flush=True)
    # Not every waiting task can be cancelled.
    os._exit(0)


url, *numbers = sys.argv[1:]
asyncio.run(main(url, *map(int, numbers)))
