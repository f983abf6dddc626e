"""``python -m airflow_provider_p2psms.sandbox``: the same as ``p2psms sandbox``."""

import sys

from airflow_provider_p2psms.cli import main

if __name__ == "__main__":
    sys.exit(main(["sandbox", *sys.argv[1:]]))
