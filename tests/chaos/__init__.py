"""Kills of real processes in the middle of a send; what arrived is counted."""
