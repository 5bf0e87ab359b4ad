"""What people see: tables, pictures, diagrams, a page; and the palette of all of them."""
