/**
 * The stack's configuration. The engine tells it to every policy pack, but the policy SDK for Node keeps only the tags
 * of that message; so it is read where the message arrives.
 */
import { AnalyzerService } from '@pulumi/pulumi/proto/analyzer_grpc_pb';

const PROTECT_DATA = 'failover:protectData';

let config: ReadonlyMap<string, string> = new Map();

/** To be called before the pack serves, which takes over the service's definition as it then is. */
export function listenForStackConfig(): void {
  const method = AnalyzerService.configureStack;
  const deserialize = method.requestDeserialize;
  method.requestDeserialize = (bytes) => {
    const request = deserialize(bytes);
    config = new Map(request.getConfigMap().getEntryList());
    return request;
  };
}

/** True until the stack's configuration says otherwise. */
export function protectsData(): boolean {
  return config.get(PROTECT_DATA) !== 'false';
}
