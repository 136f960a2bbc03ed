"""Replays recorded exchanges with Microsoft Entra ID: what a file sends is sent, what it expects is asserted."""
