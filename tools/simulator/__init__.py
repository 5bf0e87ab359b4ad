"""The simulator: clusters of the shipped node under a simulated clock, on simulated airs.

scenario       what a scenario may say, and how it is read; distributions: values by chance
simulation     one run: it makes the parts below, and lets time pass
timeline       simulated time and its events
board          one board: power, clock, radio, node
medium         one air: who hears whom, and what happens to a frame; topology: where boards are, and who is near whom
intruder       plays frames back and makes frames of its own
recording      what a run leaves for pictures and pages; history: the same as plain data
outcome        what became of a run, in numbers
campaign       many runs, on all cores or on a Dask cluster
"""
