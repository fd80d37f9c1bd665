"""Lightning callbacks: progress and collapse monitor."""
