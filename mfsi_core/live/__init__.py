"""Live: what the microscope's program uses while a series is being recorded."""
