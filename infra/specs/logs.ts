import { LogsSpec } from '../contract/site-spec';
import { s3Endpoint } from './names';

/** Where a server's logs go: a bucket of each region. Undefined where there is none. */
export function logsSpec(
  buckets: Readonly<Record<string, { readonly bucket: string }>>,
  credentials: LogsSpec['credentials'],
): LogsSpec | undefined {
  const destinations = Object.entries(buckets)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([region, { bucket }]) => ({
      name: region,
      endpoint: s3Endpoint(region),
      region,
      bucket,
    }));
  return destinations.length === 0 ? undefined : LogsSpec.parse({ destinations, credentials });
}
