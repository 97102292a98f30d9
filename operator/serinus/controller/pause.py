"""Waiting that can be cut short. Makes no task, so that kopf, which ends tasks younger than itself, finds none."""

import asyncio


async def pause(cut_short: asyncio.Event, seconds: float) -> None:
    """Wait for a time, or less if the event is set."""
    try:
        async with asyncio.timeout(seconds):
            await cut_short.wait()
    except TimeoutError:
        return
