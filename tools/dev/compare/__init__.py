"""What users would pick instead: how long each takes to go on, and what each does when something goes wrong."""
