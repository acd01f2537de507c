"""Interleaved rounds, and the choice of who takes part in them."""


def choose(contestants, chosen):
    """Of these, by name, those that are chosen; None: all."""
    if chosen is None:
        return contestants
    return {name: contestant for name, contestant in contestants.items() if name in chosen}


def measure(contestants, rounds, warm_up=True):
    """What each contestant, a function by its name, returned in each round; the warm-up is left out."""
    figures = {name: [] for name in contestants}
    for number in range(0 if warm_up else 1, rounds + 1):
        for name, contestant in contestants.items():
            figure = contestant()
            if number > 0:
                figures[name].append(figure)
            print(f"{f'round {number} of {rounds}' if number else 'warm-up'}: {name}", flush=True)
    return figures
