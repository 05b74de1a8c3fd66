/** R2's buckets, whose id is their name, and whose jurisdiction every call has to name. */
import type { Json, JsonMap } from '../protocol/json';
import { type CloudflareType, REQUIRED } from './resource';

const path = (inputs: JsonMap): string => `/accounts/${String(inputs['accountId'])}/r2/buckets`;
const jurisdiction = (inputs: JsonMap): Readonly<Record<string, string>> => ({
  'cf-r2-jurisdiction': String(inputs['jurisdiction'] ?? 'default'),
});

export const bucket: CloudflareType = {
  fields: {
    accountId: REQUIRED,
    name: REQUIRED,
    jurisdiction: { type: { oneOf: ['default', 'eu', 'fedramp'] }, default: 'default' },
    location: { type: { oneOf: ['apac', 'eeur', 'enam', 'weur', 'wnam', 'oc'] } },
    storageClass: { type: { oneOf: ['Standard', 'InfrequentAccess'] }, default: 'Standard' },
  },
  replaceOn: ['accountId', 'name', 'jurisdiction', 'location'],
  outputs: ['creationDate'],
  async create(inputs, { ask }) {
    const { name, location, storageClass } = inputs;
    const made = await ask({
      method: 'POST',
      path: path(inputs),
      headers: jurisdiction(inputs),
      body: { name, storageClass, ...(location === undefined ? {} : { locationHint: location }) },
    });
    return { ...told(made), id: String(name) };
  },
  async update(inputs, _state, { ask }) {
    const { name, storageClass } = inputs;
    const changed = await ask({
      method: 'PATCH',
      path: `${path(inputs)}/${String(name)}`,
      headers: { ...jurisdiction(inputs), 'cf-r2-storage-class': String(storageClass) },
    });
    return { ...told(changed), id: String(name) };
  },
  delete: (state, { ask }) =>
    ask({
      method: 'DELETE',
      path: `${path(state)}/${String(state['name'])}`,
      headers: jurisdiction(state),
    }),
  read: async (id, state, { ask }) =>
    told(await ask({ method: 'GET', path: `${path(state)}/${id}`, headers: jurisdiction(state) })),
};

function told(result: Json): JsonMap {
  const { name, location, jurisdiction: place, storage_class, creation_date } = result as JsonMap;
  return {
    name,
    // Answered in capitals, whatever was asked for.
    location: String(location).toLowerCase(),
    jurisdiction: place,
    storageClass: storage_class,
    creationDate: creation_date,
  };
}
