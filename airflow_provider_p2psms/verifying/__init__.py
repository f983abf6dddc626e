"""
``p2psms verify``: sends a handful of messages to the user's own number and reports how the gateway behaves.

Works without Airflow. ``run.py`` is the recipe; ``asking.py`` asks the reports and keeps their answers as
they came; ``watching.py`` waits until they show a message; the ``*_findings.py`` turn what was observed into
lines of the report (``findings.py``). This room decides nothing about a send.
"""
