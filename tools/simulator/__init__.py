"""The simulator: clusters of the shipped node under a simulated clock, on a simulated medium.

scenario       what a scenario may say, and how it is read; distributions: values by chance
simulation     one run: it makes the parts below, and lets time pass
timeline       simulated time and its events
board          one board: power, clock, radio, node
medium         who hears whom, and what happens to a frame; topology: who is near whom
intruder       plays frames back and makes frames of its own
recording      what a run leaves for pictures and pages; history: the same as plain data
outcome        what became of a run, in numbers
campaign       many runs, on all cores or on a Dask cluster
shortcuts      two parts of faction, made faster for a desk computer
"""
