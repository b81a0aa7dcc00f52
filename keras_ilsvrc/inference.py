"""Networks as they are used, once trained."""

import keras


def drop_auxiliary(model: keras.Model) -> keras.Model:
    """`model` without its auxiliary classifiers: images -> the first of its outputs.

    Args:
        model: of one output, or of the predictions and then auxiliary ones, of layers whose names
            begin with "aux" (arXiv:1409.4842, section 5: "at inference time, these auxiliary
            networks are discarded").

    Returns:
        A keras.Model of the same name, layers and weights, not compiled; `model` itself if it
        has one output.

    Raises:
        ValueError: an output but the first is none of an auxiliary classifier.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"model is a keras.Model, not {model!r}.")
    names = getattr(model, "output_names", [])
    others = [name for name in names[1:] if not name.startswith("aux")]
    if others:
        raise ValueError(
            f"'{model.name}' has outputs {', '.join(others)} beside {names[0]}, and only those "
            f'whose names begin with "aux" are dropped.'
        )
    return keras.Model(model.input, model.outputs[0], name=model.name) if names[1:] else model
