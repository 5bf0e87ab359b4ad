class DigitalInOut:
    """A pin, which notes its changes in led.log."""

    def __init__(self, pin):
        self._value = None

    def switch_to_output(self, value=False):
        self.value = value

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, value):
        if value != self._value:
            self._value = value
            with open("led.log", "a") as log:
                log.write("%d\n" % value)
