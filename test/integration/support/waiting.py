import time


def wait_for(condition, timeout=30.0, what=None, ignore=()):
    """Calls condition until it returns something true, and returns that; AssertionError after timeout seconds.

    An exception of a type in ignore counts as false: for servers that are not up yet.
    """
    end = time.monotonic() + timeout
    while True:
        last = None
        try:
            last = condition()
        except ignore as error:
            last = error
        else:
            if last:
                return last
        if time.monotonic() > end:
            raise AssertionError(f"{what or 'the condition'} did not come true within {timeout} s; last: {last!r}")
        time.sleep(0.02)
