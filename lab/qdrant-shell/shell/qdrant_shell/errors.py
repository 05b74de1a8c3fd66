"""Errors as the API words them: each knows its HTTP status."""

import re


class ApiError(Exception):
    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
        self.message = message


def bad_input(description: str) -> ApiError:
    return ApiError(400, f"Wrong input: {description}")


def bad_request(description: str) -> ApiError:
    return ApiError(400, f"Bad request: {description}")


def format_error(description: str) -> ApiError:
    return ApiError(400, f"Format error in JSON body: {description}")


def not_found(description: str) -> ApiError:
    return ApiError(404, f"Not found: {description}")


def already_exists(description: str) -> ApiError:
    return ApiError(409, f"Wrong input: {description}")


def forbidden(description: str) -> ApiError:
    return ApiError(403, f"Forbidden: {description}")


def service_error(description: str) -> ApiError:
    return ApiError(500, f"Service internal error: {description}")


_SERVICE = re.compile(r"^(Service runtime error|Service internal error): ")


def from_engine(error: BaseException) -> ApiError:
    """The engine raises plain exceptions; its wording tells which class of error it was."""
    if isinstance(error, ApiError):
        return error
    text = str(error)
    if isinstance(error, (TypeError, KeyError, AttributeError, OverflowError)):
        return format_error(f"{type(error).__name__}: {text}")
    if isinstance(error, ValueError):
        return format_error(text)
    if not isinstance(error, Exception):  # the engine panicked
        return service_error(text)
    if _SERVICE.match(text):
        return service_error(_SERVICE.sub("", text))
    if text.startswith("No point with id"):
        return not_found(text)
    if text.startswith("Timeout"):
        return ApiError(408, text)
    return bad_input(text)
