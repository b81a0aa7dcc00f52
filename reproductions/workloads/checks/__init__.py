"""What is computed of claims that need no training: a name -> a function that gives values.

Values are plain data: numbers, words, lists. What they must be stands in the claims.
"""

from collections.abc import Callable
from typing import Any

from . import counts, functions, modes, published, receptive_field, seconds

Values = dict[str, Any]

CHECKS: dict[str, Callable[[], Values]] = {
    check.__name__.replace("_", "-"): check
    for check in (
        counts.alexnet_size, counts.alexnet_filters,
        counts.vgg_depth, counts.vgg_uniform, counts.vgg_weights, counts.vgg_relus,
        receptive_field.vgg_receptive_field,
        counts.inception_modules, counts.inception_parallel, counts.googlenet_depth,
        counts.googlenet_params, functions.aux_heads,
        functions.pointwise_dense, receptive_field.pointwise_local, counts.pointwise_example,
        counts.pointwise_cheaper, counts.inception_cost,
        functions.degradation_capacity, functions.identity_path, functions.residual_difference,
        counts.basic_block, counts.bn_everywhere, counts.bn_order, modes.bn_modes,
        modes.dropout_modes, modes.inputs_scaled,
        counts.resnet_depth, counts.resnet_cheap, counts.densenet_lean,
        published.vgg_ranks, published.inception_later, published.resnet_deeper,
        published.resnet_human,
    )
}  # fmt: skip
# These give seconds, which are circumstances of a record and no result.
MEASURED: dict[str, Callable[[], Values]] = {"resnet-seconds": seconds.resnet_seconds}
