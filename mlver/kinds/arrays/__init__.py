"""Files of plain arrays, `.npy` and `.npz`, for the data kind."""
