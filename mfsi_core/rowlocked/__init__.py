"""Row-locked registration: every row of every frame has its own displacement, smooth along the row."""
