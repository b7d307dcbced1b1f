"""Take the rows of this data set out of the tables that NVIDIA publishes inside a Python package.

``python data/moe_kernel_latency/make_extract.py`` writes ``latency.csv`` beside itself. The package (82 MB) is looked
for and checked as every public file of the book is (``moelaws.data.registry``); nothing of it is installed.
``pip install pyarrow`` brings what reads its tables.
"""

import io
from pathlib import Path
from zipfile import ZipFile

import pandas as pd

from moelaws.data.registry import PublicFile
from moelaws.errors import InputError

WHEEL = PublicFile(
    path="nvidia_moe_kernel_latency/aiconfigurator_core-0.12.0-cp311-abi3-manylinux_2_28_x86_64.whl",
    sha256="aadc4aad0a00bf8a61c477c62bef43de479849c3aa0b1c3078068e08309eccc4",
    address="https://files.pythonhosted.org/packages/ea/25/aa0ba62a34b329a1420d9bedeebd6e54bc3780cc79beacb2db9d57ec2b1a/"
    "aiconfigurator_core-0.12.0-cp311-abi3-manylinux_2_28_x86_64.whl",
)
INSIDE = "aiconfigurator_core/systems/data/{}/moe_perf.parquet"
TABLES = {
    "a100_sxm/moe/vllm/0.14.0": "A100-80G-SXM",
    "h100_sxm/moe/vllm/0.24.0": "H100-80G-SXM",
    "h100_sxm/moe/sglang/0.5.14": "H100-80G-SXM",
    "h200_sxm/moe/vllm/0.24.0": "H200-141G-SXM",
    "b200_sxm/moe/vllm/0.24.0": "B200-180G-SXM",
    "l40s/moe/vllm/0.24.0": "L40S-48G-PCIe",
}
DTYPES = {"bfloat16": 2, "fp8": 1, "fp8_block": 1}
NAMES = {
    "hidden_size": "d_model",
    "inter_size": "d_expert",
    "num_experts": "n_routed",
    "topk": "top_k",
    "num_tokens": "tokens",
    "moe_dtype": "dtype",
    "kernel_source": "kernel",
    "latency": "time_ms",
}
COLUMNS = [
    "device",
    "framework",
    "dtype",
    "weight_bytes",
    "kernel",
    "distribution",
    "d_model",
    "d_expert",
    "n_routed",
    "top_k",
    "tokens",
    "time_ms",
]
KEY = COLUMNS[:-1]


def read(archive: ZipFile, folder: str, device: str) -> pd.DataFrame:
    """Return one table of the package under our names of the columns."""
    table = pd.read_parquet(io.BytesIO(archive.read(INSIDE.format(folder))))
    return table.rename(columns=NAMES).assign(
        device=device,
        framework=table.framework + " " + table.version,
        weight_bytes=table.moe_dtype.map(DTYPES),
    )


def chosen(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the extract.

    One GPU holds all experts; 16- or 8-bit weights; gated experts, three matrices each; tokens in powers of two. Of
    the distributions of tokens over experts, the even one, and the steeper power law where it is needed: for the GPU
    that has no other, and for the two shapes that differ in `top_k` alone.
    """
    gated = (table.top_k != 22) & (table.d_expert != 1856)
    power_of_two = (table.tokens & (table.tokens - 1)) == 0
    pair = (table.d_model == 4096) & (table.d_expert == 2048) & (table.n_routed == 256)
    needed = pair | (table.device == "A100-80G-SXM")
    spread = (table.distribution == "balanced") | ((table.distribution == "power_law_1.2") & needed)
    alone = (table.moe_tp_size == 1) & (table.moe_ep_size == 1)
    return table[alone & table["dtype"].isin(DTYPES) & gated & power_of_two & spread]


def main() -> None:
    """Write the extract."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise SystemExit("The tables are in Parquet, which pyarrow reads: pip install pyarrow.") from None
    try:
        with ZipFile(WHEEL.fetch()) as archive:
            everything = pd.concat([read(archive, folder, device) for folder, device in TABLES.items()])
    except InputError as error:
        raise SystemExit(str(error)) from None
    rows = chosen(everything)[COLUMNS].sort_values(KEY)
    rows.to_csv(Path(__file__).with_name("latency.csv"), index=False, float_format="%.5g")
    print(f"latency.csv: {len(rows)} rows.")


if __name__ == "__main__":
    main()
