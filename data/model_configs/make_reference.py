"""Count the weights of the models that the library transformers builds from the configurations, without memory.

Run by hand, in an environment that has torch and transformers 5.24.0; the table is stored, and no test needs them:
python data/model_configs/make_reference.py. Families that the library does not know are left out. Where
a file leaves out what the library has no stand-in for, it is left out too, with the reason printed.
"""

import csv
import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

HERE = Path(__file__).parent
COMPUTED = ("slope_rate", "query_decay", "key_decay", "diagonal_decay", "inv_freq")  # from positions, not trained


def weights(values: dict) -> int:
    """Return the weights and the stored buffers of the model that a configuration describes."""
    inner = values.get("text_config", values)
    model_type = {"kimi_k2": "deepseek_v3"}.get(inner["model_type"], inner["model_type"])
    if "attn_type_list" in inner:  # the library has another key for this list of MiniMax-01
        kinds = ("linear_attention", "full_attention")
        inner = inner | {"layer_types": [kinds[kind] for kind in inner["attn_type_list"]]}
    ignored = {"quantization_config", "architectures", "auto_map", "model_type", "torch_dtype", "dtype", "quantization"}
    config = CONFIG_MAPPING[model_type](**{key: value for key, value in inner.items() if key not in ignored})
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    stored = {name: tensor for name, tensor in model.named_buffers() if name in model.state_dict()}
    buffers = [tensor.numel() for name, tensor in stored.items() if not name.endswith(COMPUTED)]
    return sum(tensor.numel() for tensor in model.parameters()) + sum(buffers)


def write(table: str, rows: list[dict]) -> None:
    """Write a table beside this script."""
    with (HERE / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Count again what both tables of references list."""
    rows = []
    for path in sorted(HERE.glob("*.json")):
        values = json.loads(path.read_text(encoding="utf-8"))
        try:
            rows.append({"config": path.stem, "n_total_reference": weights(values)})
        except Exception as error:
            print(f"{path.stem}: {type(error).__name__}: {str(error)[:150]}", file=sys.stderr)
    write("reference", rows)
    with (HERE / "generated.csv").open(encoding="utf-8") as file:
        drawn = [row["configuration"] for row in csv.DictReader(file)]
    write("generated", [{"configuration": one, "n_total_reference": weights(json.loads(one))} for one in drawn])
    print(f"{len(rows)} configurations, transformers {transformers.__version__}")


if __name__ == "__main__":
    main()
