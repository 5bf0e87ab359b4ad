# A board without an LED. Its pins are their names.
GP5 = "GP5"
IO6 = "IO6"
