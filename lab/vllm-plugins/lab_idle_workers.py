"""A vLLM plugin for the lab: idle workers sleep instead of spinning.

After each step vLLM's workers poll for the next one in a busy loop for a second. On a GPU server that buys latency with a
core that nothing else needs. In the lab two engines with a canary every second would spin for ever on the two cores that
both sites, the witness and the clients share, and a drill would measure the scheduler.
"""

# Longer than any pause within a generation: a worker that sleeps can miss a call that follows closely on the one before,
# because the notification of the second is dropped while the socket still counts the first as unread.
BUSY_LOOP_SECONDS = 0.1


def register() -> None:
    """Replace the default of SpinCondition's last argument, `busy_loop_s`; called by vLLM in each of its processes."""
    from vllm.distributed.device_communicators.shm_broadcast import SpinCondition

    defaults = SpinCondition.__init__.__defaults__
    if defaults != (1,):
        raise RuntimeError(f"SpinCondition's defaults are {defaults}, expected (1,): another vLLM than this is for")
    SpinCondition.__init__.__defaults__ = (BUSY_LOOP_SECONDS,)
