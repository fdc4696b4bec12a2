"""`python -m deploy.embedded [FOLDER]`: do the embedded servers work on this machine? Starts both, and stops them."""

import shutil
import sys
import tempfile
from pathlib import Path

from deploy.embedded.broker import EmbeddedBroker
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.trouble import Trouble


def main() -> int:
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    folder = given or Path(tempfile.mkdtemp(prefix="xiapai-"))
    postgres, broker = EmbeddedPostgres(folder / "postgres"), EmbeddedBroker(folder / "broker")
    try:
        postgres.start()
        postgres.create_database("check")
        print(f"PostgreSQL: 127.0.0.1:{postgres.port}, data in {postgres.data}")
        broker.start()
        print(f"Tansu: {broker.bootstrap}")
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    finally:
        broker.stop()
        postgres.stop()
        if given is None:
            shutil.rmtree(postgres.data.parent, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
