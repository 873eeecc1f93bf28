"""The leaderboard as a static site that needs no server and no network."""
