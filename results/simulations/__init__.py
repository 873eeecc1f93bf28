"""What simulations of the statistics have shown, as data."""
