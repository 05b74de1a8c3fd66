import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LineageFile } from './lineage-file';
import { EMPTY_STATE, type PersistedState } from './ports';
import { aLease, anEntry } from './testing/lease-store.contract';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'lineage-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the memory of a site', () => {
  it('is null when the site has never run', async () => {
    expect(await new LineageFile(path.join(folder, 'none.json')).load()).toBeNull();
  });

  it('comes back as it was saved, and leaves nothing else behind', async () => {
    const state: PersistedState = {
      ...EMPTY_STATE,
      highestEpoch: 7,
      lastHeldEpoch: 6,
      pendingClaim: { lease: aLease({ epoch: 8 }), ifMatch: '"etag"', entry: anEntry({ epoch: 8 }) },
      unwrittenHistory: [anEntry({ epoch: 6 })],
    };
    const file = path.join(folder, 'deeper', 'lineage.json');
    await new LineageFile(file).save(EMPTY_STATE);
    await new LineageFile(file).save(state);
    expect(await new LineageFile(file).load()).toEqual(state);
    expect(await readdir(path.dirname(file))).toEqual(['lineage.json']);
  });

  it.each(['', 'not JSON', '{}', JSON.stringify({ ...EMPTY_STATE, version: 9 })])(
    'is an error, never an empty memory, when the file holds %j',
    async (content) => {
      const file = path.join(folder, 'lineage.json');
      await writeFile(file, content);
      await expect(new LineageFile(file).load()).rejects.toMatchObject({ code: 'PERSISTED_STATE_CORRUPT' });
    },
  );
});
