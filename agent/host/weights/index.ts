import type { InferenceSpec } from '../../../infra/contract/site-spec';
import type { HostPort } from '../port';
import { pullVersion, type Pulled } from './pull';
import { S3WeightsStore, type S3WeightsOptions } from './s3-store';
import { Throttle } from './throttle';

/** Brings a version of the weights to this server. */
export interface WeightsPort {
  /** Null when it was here. */
  pull(model: InferenceSpec['model'], account: S3WeightsOptions['account']): Promise<Pulled | null>;
}

export function createWeights(host: HostPort): WeightsPort {
  return {
    async pull({ folder, sha256, store: where }, account) {
      const { endpoint, region, bucket, caCertificate, maxMbitPerSecond } = where;
      const store = new S3WeightsStore({
        ...{ endpoint, region, bucket },
        ...(account === undefined ? {} : { account }),
        ...(caCertificate === undefined ? {} : { caCertificate }),
      });
      const sleep = (seconds: number): Promise<void> => host.sleep(seconds);
      try {
        return await pullVersion(
          { store, throttle: new Throttle((maxMbitPerSecond * 1e6) / 8, host), sleep },
          { folder, sha256, freeBytes: (at) => host.freeBytes(at) },
        );
      } finally {
        store.close();
      }
    },
  };
}
