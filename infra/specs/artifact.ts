import type { ArtifactSpec } from '../contract/site-spec';

interface ArtifactConfig {
  /** An absolute path on the server or an https:// address; the configuration's rules allow nothing else. */
  readonly artifact: string;
  /** "" for none. */
  readonly sha256: string;
  /** "" for none. */
  readonly member: string;
}

export function artifactSpec({ artifact, sha256, member }: ArtifactConfig): ArtifactSpec {
  if (artifact.startsWith('/')) return { kind: 'path', path: artifact, ...(sha256 === '' ? {} : { sha256 }) };
  return { kind: 'url', url: artifact, sha256, ...(member === '' ? {} : { member }) };
}
