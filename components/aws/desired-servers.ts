import { createHash } from 'node:crypto';
import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { AgentBundle } from '../../infra/bundle';
import { bundleKey, desiredKey, type DesiredState, specKey } from '../../infra/contract/desired-state';
import type { CredentialName, ServerSpec } from '../../infra/contract/site-spec';

export interface DesiredServersArgs {
  /** The site's deploy bucket. */
  readonly bucket: pulumi.Input<string>;
  readonly region: string;
  readonly bundle: AgentBundle;
  /** One document for each server. */
  readonly specs: readonly ServerSpec[];
  /** ARNs of the secrets in the same region that become the servers' credentials. */
  readonly secrets: Readonly<Partial<Record<CredentialName, pulumi.Input<string>>>>;
}

const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * What each server of a site should be: the bundle and its spec under their own hashes, and one small pointer a server
 * that names them. Servers look at the pointer every minute, so a change reaches them without anybody logging in.
 */
export class DesiredServers extends pulumi.ComponentResource {
  constructor(name: string, args: DesiredServersArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:DesiredServers', name, {}, opts);
    const of = { bucket: args.bucket, region: args.region };
    const child = { parent: this };
    const bundle = { key: bundleKey(args.bundle.sha256), sha256: args.bundle.sha256 };
    const bundleObject = new aws.s3.BucketObjectv2(
      `${name}-bundle`,
      {
        ...of,
        key: bundle.key,
        source: new pulumi.asset.FileAsset(args.bundle.path),
        contentType: 'text/javascript',
      },
      child,
    );
    for (const spec of args.specs) {
      const server = spec.server.name;
      const text = JSON.stringify(spec);
      const pointed = { key: specKey(sha256Of(text)), sha256: sha256Of(text) };
      const contentType = 'application/json';
      const specObject = new aws.s3.BucketObjectv2(
        `${name}-${server}-spec`,
        { ...of, key: pointed.key, content: text, contentType },
        child,
      );
      new aws.s3.BucketObjectv2(
        `${name}-${server}`,
        {
          ...of,
          key: desiredKey(server),
          content: pulumi.output(args.secrets).apply((names) => {
            const desired: DesiredState = {
              schemaVersion: 1,
              server,
              bundle,
              spec: pointed,
              secrets: { region: args.region, names },
            };
            return JSON.stringify(desired);
          }),
          contentType,
        },
        // Never before what it points at.
        { ...child, dependsOn: [bundleObject, specObject] },
      );
    }
    this.registerOutputs();
  }
}
