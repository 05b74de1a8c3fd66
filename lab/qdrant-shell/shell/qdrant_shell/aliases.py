"""Changes of aliases: all actions of a request or none."""

from collections.abc import Container

from .errors import already_exists, bad_request, not_found


def changed(aliases: dict[str, str], collections: Container[str], actions: list[dict]) -> dict[str, str]:
    after = dict(aliases)
    for action in actions:
        if "create_alias" in action:
            made = action["create_alias"]
            target, alias = made["collection_name"], made["alias_name"]
            if target not in collections:
                raise not_found(f"Collection `{target}` doesn't exist!")
            _check_free(alias, collections)
            after[alias] = target
        elif "delete_alias" in action:
            after.pop(action["delete_alias"]["alias_name"], None)
        elif "rename_alias" in action:
            names = action["rename_alias"]
            old, new = names["old_alias_name"], names["new_alias_name"]
            if old not in after:
                raise not_found(f"Alias {old} does not exists!")
            _check_free(new, collections)
            after[new] = after.pop(old)
        else:
            raise bad_request("unknown alias action")
    return after


def without(aliases: dict[str, str], collection: str) -> dict[str, str]:
    return {alias: target for alias, target in aliases.items() if target != collection}


def _check_free(alias: str, collections: Container[str]) -> None:
    if alias in collections:
        raise already_exists(f"Collection `{alias}` already exists!")
