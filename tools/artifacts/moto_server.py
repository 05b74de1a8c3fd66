"""moto's server, with one mistake of it mended: a Deny whose condition is not met says nothing, and moto takes it for a no.

The one such condition here is "not over TLS". Requests on loopback stand for requests over TLS.
"""

from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.server import main

WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}
as_moto_does = IAMPolicyStatement.is_action_permitted


def is_action_permitted(self, *args, **kwargs):
    if self._statement.get("Condition") == WITHOUT_TLS:
        return PermissionResult.NEUTRAL
    return as_moto_does(self, *args, **kwargs)


IAMPolicyStatement.is_action_permitted = is_action_permitted
main()
