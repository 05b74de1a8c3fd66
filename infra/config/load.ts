import * as pulumi from '@pulumi/pulumi';
import type { CredentialName } from '../contract/site-spec';
import { readProjectFile } from './files';
import {
  parseConfig,
  type ParsedAwsSite,
  type ParsedAwsWitness,
  type ParsedCloudflareWitness,
  type ParsedSite,
  type ParsedWitness,
} from './parse';

interface Secrets {
  readonly sshPrivateKey: pulumi.Output<string>;
  /** Certificate and key as credentials; none on a site whose certificate comes by ACME. */
  readonly tls: Readonly<Partial<Record<'tls-certificate' | 'tls-private-key', pulumi.Output<string>>>>;
  /** What a site's agent calls others with, as credentials. */
  readonly outward: Readonly<Partial<Record<CredentialName, pulumi.Output<string>>>>;
}
interface Loaded {
  /** File contents that must not be shown are secret outputs from here on. */
  readonly secrets: Secrets;
  readonly caCertificate: string | undefined;
}
export type SiteConfig = Omit<ParsedSite, 'files'> & Loaded;
export type WitnessConfig = Omit<ParsedWitness, 'files'> & Loaded;
export type AwsSiteConfig = Omit<ParsedAwsSite, 'files'> & Loaded;
export type AwsWitnessConfig = Omit<ParsedAwsWitness, 'files'> & Loaded;
export type CloudflareWitnessConfig = Omit<ParsedCloudflareWitness, 'files'> & Loaded;
export type AnyWitnessConfig = WitnessConfig | AwsWitnessConfig | CloudflareWitnessConfig;
export type StackConfig = SiteConfig | AwsSiteConfig | AnyWitnessConfig;

/** Not in the SDK's declarations; without it an error message could show what was encrypted. */
function isConfigSecret(key: string): boolean {
  const runtime = pulumi.runtime as unknown as { isConfigSecret?: (key: string) => boolean };
  return runtime.isConfigSecret?.(key) ?? true;
}

/**
 * Read and check this stack's configuration; the only place that does.
 * @throws ConfigurationError, at preview, before any resource is registered.
 */
export function loadConfig(): StackConfig {
  const raw = {
    namespace: new pulumi.Config().name,
    values: pulumi.runtime.allConfig(),
    isSecret: isConfigSecret,
  };
  const { files, ...parsed } = parseConfig(pulumi.getStack(), raw, {
    read: readProjectFile,
    now: new Date(),
  });
  return {
    ...parsed,
    caCertificate: files.caCertificate,
    secrets: {
      sshPrivateKey: pulumi.secret(files.sshPrivateKey),
      outward: Object.fromEntries(
        Object.entries(files.outward).map(([name, text]) => [name, pulumi.secret(text)]),
      ),
      tls:
        files.tls === undefined
          ? {}
          : {
              'tls-certificate': pulumi.secret(files.tls.certificate),
              'tls-private-key': pulumi.secret(files.tls.privateKey),
            },
    },
  };
}
