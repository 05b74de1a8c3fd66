import * as pulumi from '@pulumi/pulumi';
import { RandomPassword } from '@pulumi/random';
import { storeAccessKey } from '../infra/specs/names';

/** A site's account at the object store. */
export interface StoreAccount {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface SharedSecretsArgs {
  /** Names of the sites; each gets an account of its own at the object store. */
  readonly sites: readonly string[];
}

/** 62^48: 285 bits, in letters and digits only, so that no file format needs to quote them. */
const LENGTH = 48;

/**
 * Every secret that the stacks share, generated once, by the witness's stack, and read by the sites'. Not to be protected: a
 * rotation replaces one, and what uses them is protected and would have to go first.
 */
export class SharedSecrets extends pulumi.ComponentResource {
  readonly clientKey: pulumi.Output<string>;
  readonly operatorKey: pulumi.Output<string>;
  readonly peerKey: pulumi.Output<string>;
  readonly qdrantKey: pulumi.Output<string>;
  readonly vllmKey: pulumi.Output<string>;
  /** Encrypts the publishes at rest. A new one opens no repository made with this one: see docs/replication.md. */
  readonly repositoryKey: pulumi.Output<string>;
  /** HMAC-SHA256 key in base64. */
  readonly tsigKey: pulumi.Output<string>;
  readonly storeRootSecret: pulumi.Output<string>;
  /** By site. */
  readonly storeAccounts: pulumi.Output<Record<string, StoreAccount>>;

  constructor(name: string, args: SharedSecretsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:SharedSecrets', name, {}, opts);
    const generate = (role: string) => {
      const password = new RandomPassword(
        `${name}-${role}`,
        { length: LENGTH, special: false },
        { parent: this },
      );
      return pulumi.secret(password.result);
    };
    this.clientKey = generate('client');
    this.operatorKey = generate('operator');
    this.peerKey = generate('peer');
    this.qdrantKey = generate('qdrant');
    this.vllmKey = generate('vllm');
    this.repositoryKey = generate('repository');
    this.tsigKey = generate('tsig').apply((text) => Buffer.from(text, 'ascii').toString('base64'));
    this.storeRootSecret = generate('store-root');
    const accounts = args.sites.map((site): [string, pulumi.Input<StoreAccount>] => [
      site,
      generate(`store-${site}`).apply((secretKey) => ({ accessKey: storeAccessKey(site), secretKey })),
    ]);
    this.storeAccounts = pulumi.secret(pulumi.all(Object.fromEntries(accounts)));
    this.registerOutputs();
  }
}
