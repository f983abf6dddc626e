"""
The ledger: what was meant to be sent, what came of it, and how the two are brought together again.

Knows neither HTTP, rows nor Airflow. It holds no number and no text: a message is known by a digest.
"""
