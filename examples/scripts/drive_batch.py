#!/usr/bin/env python3
"""Downloads every source of a list and says what came of each: `ok PATH` or `bad CODE SOURCE`, then a sum.

Knows nothing but exit codes and the events of --json, which it reads as they come.
"""

import json
import os
import subprocess
import sys


def main(listed, folder):
    program = os.environ.get("RTORRENT_CLI", "rtorrent-cli")
    line = [program, "get", "--quiet", "--json", "--input-file", listed, "--dir", folder]
    summary = {}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        for event in map(json.loads, run.stdout):
            if event["event"] == "complete":
                print("ok", event["path"])
            elif event["event"] == "error":
                print("bad", event["code"], event["source"])
            elif event["event"] == "summary":
                summary = event
    print(f"total {summary['complete']} of {summary['items']}, exit {run.returncode}")
    return run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
