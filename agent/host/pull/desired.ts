import { z } from 'zod';
import { desiredKey, DesiredState } from '../../../infra/contract/desired-state';
import type { ServerSpec } from '../../../infra/contract/site-spec';
import { parseServerSpec } from '../apply';
import { DesiredStateError } from '../errors';
import type { ObjectsPort } from './ports';
import { fetchObject } from './release';

export async function readPointer(objects: ObjectsPort, server: string): Promise<DesiredState> {
  const key = desiredKey(server);
  const text = (await objects.get(key)).toString('utf8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new DesiredStateError(`${key} is no JSON: deploy again`);
  }
  const parsed = DesiredState.safeParse(json);
  if (!parsed.success)
    throw new DesiredStateError(`${key} has problems, deploy again:\n${z.prettifyError(parsed.error)}`);
  checkServer(key, parsed.data.server, server);
  return parsed.data;
}

export async function readSpec(
  objects: ObjectsPort,
  pointed: DesiredState['spec'],
  server: string,
): Promise<ServerSpec> {
  const spec = parseServerSpec((await fetchObject(objects, pointed)).toString('utf8'));
  checkServer(pointed.key, spec.server.name, server);
  return spec;
}

function checkServer(key: string, got: string, server: string): void {
  if (got !== server)
    throw new DesiredStateError(`${key} is for ${got}, and this is ${server}: deploy again`);
}
