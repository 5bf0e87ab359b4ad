"""What needs the checkout: measurements, proofs, the demo, emulated boards. Never part of a wheel."""
