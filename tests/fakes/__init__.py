"""Stand-ins for the outside world that keep its promises."""
