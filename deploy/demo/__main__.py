"""``python -m deploy.demo --out FILE [--times 1|10|100] [--seed N]``: writes the demo district as a workbook."""

import argparse
from pathlib import Path

from deploy.demo import build, write_workbook


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.demo", description="把演示区写成下派台账.xlsx。Writes the demo district as a workbook."
    )
    parser.add_argument("--out", type=Path, required=True, help="写到哪里 · the file to write")
    parser.add_argument("--times", type=int, default=1, help="规模倍数 · the same shapes that many times (10, 100)")
    parser.add_argument("--seed", type=int, default=1, help="随机种子 · seed of the invented names and days")
    chosen = parser.parse_args()
    if chosen.times < 1:
        parser.error("--times: 1 以上 · 1 or more")
    district = build(chosen.times, chosen.seed)
    write_workbook(chosen.out, district)
    counts = " ".join(f"{sheet} {len(rows)}" for sheet, rows in district.sheets().items())
    print(f"{chosen.out}: {counts}")


if __name__ == "__main__":
    main()
