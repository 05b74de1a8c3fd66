/** One version of the weights after another: pulled beside the one that serves, in its turn, answering, and only then alone. */
import { basename } from 'node:path';
import type { InferenceSpec } from '../../../infra/contract/site-spec';
import { versionFolder } from '../../../infra/contract/weights';
import type { Converger } from '../converge';
import { ModelMismatchError } from '../errors';
import type { WeightsPort } from '.';
import { checkKnownAnswer } from './known-answer';
import { refuseBeforePeer } from './rollout-order';
import { removeOtherVersions, servedVersion, setServed } from './versions';

/** Where the wanted version lies on this server. */
export const modelPath = ({ model }: InferenceSpec): string => versionFolder(model.folder, model.sha256);
const versionOf = (spec: InferenceSpec): string => basename(modelPath(spec));

/** The wanted version is here and may be served now. True when it already is. */
export async function prepareWeights(
  converger: Converger,
  spec: InferenceSpec,
  weights: WeightsPort,
): Promise<boolean> {
  const { folder, sha256, rolloutOrder } = spec.model;
  await converger.tree(folder, 0o755, { uid: 0, gid: 0 });
  const served = await servedVersion(converger.host, folder);
  await pull(converger, spec, weights);
  if (served === versionOf(spec)) return true;
  // Pulled before it is refused, so that the change-over waits for nothing but its turn.
  if (served !== null && rolloutOrder === 'standby-first') await refuseBeforePeer(converger, served, sha256);
  return false;
}

/** After the engine has come up with a version that did not serve before. */
export async function settleWeights(converger: Converger, spec: InferenceSpec, unit: string): Promise<void> {
  try {
    await checkKnownAnswer(converger, spec);
  } catch (error) {
    // An engine that answers wrongly must not count as a standby's because it answers.
    if (error instanceof ModelMismatchError)
      await converger.command('systemctl', ['stop', unit], { timeoutSeconds: 3600 });
    throw error;
  }
  await setServed(converger, spec.model.folder, versionOf(spec));
  await removeOtherVersions(converger, spec.model.folder, versionOf(spec));
}

async function pull(converger: Converger, spec: InferenceSpec, weights: WeightsPort): Promise<void> {
  const account =
    spec.model.store.credentials === 'instance'
      ? undefined
      : {
          accessKey: await converger.credential('store-access-key'),
          secretKey: await converger.credential('store-secret-key'),
        };
  const pulled = await weights.pull(spec.model, account);
  if (pulled === null) return;
  const { files, bytes, source } = pulled;
  const from = source === null ? '' : ` of ${source}`;
  converger.changed(
    `pulled the weights ${versionOf(spec)}${from}: ${files} files, ${(bytes / 1e9).toFixed(2)} GB`,
  );
}
