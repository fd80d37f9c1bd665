"""Options that every loader of batches has."""

from sscl_geo.errors import ConfigError


def check_loader_options(patch_size: int, num_workers: int) -> None:
    """Refuse what no loader can do.

    Args:
        patch_size: side of a patch, in pixels.
        num_workers: reading processes.

    Raises:
        ConfigError: if the patch has no pixel, or there are less than no processes.
    """
    if patch_size < 1:
        raise ConfigError(
            f"Patches of {patch_size} pixels hold nothing; give patch_size 1 or more."
        )
    if num_workers < 0:
        raise ConfigError(
            f"There cannot be {num_workers} reading processes; give num_workers 0, which reads in "
            "the main process, or more."
        )
