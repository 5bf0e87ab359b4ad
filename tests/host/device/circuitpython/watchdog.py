class WatchDogMode:
    RAISE = object()
    RESET = object()
