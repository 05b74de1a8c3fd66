import { AgentError } from '../shared/errors';
import type { RunResult } from './port';

export class SpecInvalidError extends AgentError {
  readonly code = 'spec-invalid';
}

export class CommandFailedError extends AgentError {
  readonly code = 'command-failed';

  constructor(what: string, result: RunResult) {
    const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-8).join('\n');
    super(`${what} ended with status ${result.code}: ${said || 'it printed nothing'}`);
  }
}

export class HostUnsuitableError extends AgentError {
  readonly code = 'host-unsuitable';
}

export class DiskFullError extends AgentError {
  readonly code = 'disk-full';
}

export class PortTakenError extends AgentError {
  readonly code = 'port-taken';
}

export class CredentialMissingError extends AgentError {
  readonly code = 'credential-missing';

  constructor(name: string, section: string) {
    super(
      `the section ${section} needs the credential ${name}, and /etc/failover/credentials/${name} is not there: ` +
        `apply a document whose credentials section carries it first`,
    );
  }
}

export class ConfigRefusedError extends AgentError {
  readonly code = 'config-refused';
}

export class FirewallLockoutError extends AgentError {
  readonly code = 'firewall-lockout';
}

export class NotReadyError extends AgentError {
  readonly code = 'not-ready';
}

export class VersionMismatchError extends AgentError {
  readonly code = 'version-mismatch';
}

export class ArtifactMismatchError extends AgentError {
  readonly code = 'artifact-mismatch';
}

export class DownloadFailedError extends AgentError {
  readonly code = 'download-failed';
}

export class ModelMismatchError extends AgentError {
  readonly code = 'model-mismatch';
}

/** A new version of the weights has not been served by the standby yet. */
export class ModelOrderError extends AgentError {
  readonly code = 'model-order';
}

export class LockTimeoutError extends AgentError {
  readonly code = 'lock-timeout';
}

export class JournalCorruptError extends AgentError {
  readonly code = 'journal-corrupt';
}

export class PackageUnavailableError extends AgentError {
  readonly code = 'package-unavailable';
}

/** What the server should be cannot be read, or is not what its pointer says. */
export class DesiredStateError extends AgentError {
  readonly code = 'desired-state';
}

export class SecretUnavailableError extends AgentError {
  readonly code = 'secret-unavailable';
}

export class ReleaseBrokenError extends AgentError {
  readonly code = 'release-broken';
}

export class ObjectStoreError extends AgentError {
  readonly code = 'object-store';
}
