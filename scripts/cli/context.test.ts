import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sampleSite, sampleWitness } from '../testing/sample-outputs';
import { showContext } from './commands-context';
import { buildContext, defaultContextPath, loadContext, saveContext, type ContextSources } from './context';
import { parseSiteOutputs, parseWitnessOutputs } from './outputs';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'failover-context-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const sources = (changes: Partial<ContextSources> = {}): ContextSources => ({
  witness: sampleWitness(),
  sites: [sampleSite('eu-standby'), sampleSite('uk-primary')],
  now: new Date(0),
  ...changes,
});

describe('a context', () => {
  it('holds names, addresses, keys and the predicted timeline', () => {
    const context = buildContext(sources({ caCertificate: 'PEM' }));
    expect(context).toMatchObject({
      service: { host: 'api.example.com', port: 443, dnsTtlSeconds: 60 },
      primary: 'uk-primary',
      nameservers: [{ address: '192.0.2.30', port: 53 }],
      store: { addresses: ['192.0.2.30'], account: { accessKey: 'uk' } },
      caCertificate: 'PEM',
      operatorKey: 'secret-operator',
    });
    expect(context.sites[1]).toEqual({
      site: 'uk-primary',
      host: 'uk.example.com',
      port: 443,
      addresses: ['192.0.2.10'],
      servers: ['uk-1'],
    });
  });
  it('keeps no key that an operator does not need', () => {
    const text = JSON.stringify(buildContext(sources()));
    for (const key of ['secret-peer', 'secret-qdrant', 'secret-vllm', 'secret-tsig'])
      expect(text).not.toContain(key);
  });
  it('knows each nameserver once that a stack names, the witness’s first', () => {
    const named = ['192.0.2.30', '192.0.2.10', '192.0.2.20'];
    const witness = sampleWitness({ nameservers: named.slice(0, 2) });
    const sites = [
      sampleSite('uk-primary', { nameservers: named }),
      sampleSite('eu-standby', { nameservers: named }),
    ];
    expect(buildContext(sources({ witness, sites })).nameservers.map((each) => each.address)).toEqual(named);
  });
  it('turns a nameserver given by name into the witness that serves it', () => {
    const witness = sampleWitness({ nameservers: ['ns1.example.com', '198.51.100.9'] });
    expect(buildContext(sources({ witness })).nameservers.map((each) => each.address)).toEqual([
      '192.0.2.30',
      '198.51.100.9',
    ]);
  });
  it("leaves the lease of a cloud's store to the caller's own account there", () => {
    const witness = sampleWitness({ servers: [], storeAccounts: {}, nameservers: ['198.51.100.9'] });
    const { store, nameservers } = buildContext(sources({ witness }));
    expect(store).not.toHaveProperty('account');
    expect(store.addresses).toEqual([]);
    expect(nameservers).toEqual([{ address: '198.51.100.9', port: 53 }]);
  });
  it('takes the private authority from the outputs unless one is given', () => {
    const witness = sampleWitness({ caCertificate: 'FROM OUTPUTS' });
    expect(buildContext(sources({ witness })).caCertificate).toBe('FROM OUTPUTS');
    expect(buildContext(sources({ witness, caCertificate: 'GIVEN' })).caCertificate).toBe('GIVEN');
  });
  it.each([
    ['one site only', { sites: [sampleSite('uk-primary')] }, /two sites, got 1/],
    [
      "sites that are not each other's peers",
      { sites: [sampleSite('uk-primary'), sampleSite('eu-standby', { peerSite: 'us' })] },
      /names us as its peer/,
    ],
    [
      'sites of two services',
      { sites: [sampleSite('uk-primary'), sampleSite('eu-standby', { serviceUrl: 'https://other' })] },
      /not one service/,
    ],
    ['a primary that is no site', { primary: 'us' }, /--primary us is none of/],
    ['no account at the store', { witness: sampleWitness({ storeAccounts: {} }) }, /storeAccounts is empty/],
    [
      'a site without TLS',
      { sites: [sampleSite('uk-primary', { siteUrl: 'http://uk' }), sampleSite('eu-standby')] },
      /https:/,
    ],
  ] as [string, Partial<ContextSources>, RegExp][])('refuses %s', (_what, changes, message) => {
    expect(() => buildContext(sources(changes))).toThrow(message);
  });
});

describe('the context file', () => {
  it('is readable by its owner only, also when it replaces one that was not', async () => {
    const file = path.join(folder, 'deep', 'context.json');
    await saveContext(file, buildContext(sources()));
    await chmod(file, 0o644);
    await saveContext(file, buildContext(sources()));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(file))).mode & 0o077).toBe(0);
    expect(await loadContext(file)).toEqual(buildContext(sources()));
  });
  it('says what to do when it is not there', async () => {
    await expect(loadContext(path.join(folder, 'none'))).rejects.toMatchObject({
      code: 'CONTEXT_UNUSABLE',
      exitCode: 2,
      next: expect.arrayContaining([expect.stringContaining('failover context save')]),
    });
  });
  it('quotes no key when it is damaged', async () => {
    const file = path.join(folder, 'context.json');
    await saveContext(file, buildContext(sources()));
    const damaged = (await readFile(file, 'utf8'))
      .replace('"version": 1', '"version": 2')
      .replace('"secret-operator"', '["secret-operator"]');
    await writeFile(file, damaged);
    const failure = (await loadContext(file).catch((error: unknown) => error)) as Error;
    expect(failure.message).toMatch(/version: .*operatorKey: /);
    expect(failure.message).not.toContain('secret-');
  });
  it('is shown without its keys', () => {
    const shown = showContext(buildContext(sources()), 'f');
    expect(shown).not.toContain('secret-');
    expect(shown).toContain('uk-primary: uk.example.com at 192.0.2.10');
  });
  it('is where FAILOVER_CONTEXT says, else below the configuration folder', () => {
    expect(defaultContextPath({ FAILOVER_CONTEXT: '/x/y.json' })).toBe('/x/y.json');
    expect(defaultContextPath({ XDG_CONFIG_HOME: '/c' })).toBe('/c/failover/context.json');
  });
});

describe('stack outputs', () => {
  it('are refused with what is wrong and never with a value', () => {
    const text = JSON.stringify({ ...sampleWitness(), operatorKey: { plain: 'secret-operator' } });
    const failure = (() => {
      try {
        parseWitnessOutputs(text, 'stack witness');
        return null;
      } catch (error) {
        return error as Error;
      }
    })();
    expect(failure?.message).toMatch(
      /stack witness does not hold the outputs of a witness stack: operatorKey/,
    );
    expect(failure?.message).not.toContain('secret-operator');
  });
  it('of a witness are not taken for a site, nor text that is no JSON for either', () => {
    expect(() => parseSiteOutputs(JSON.stringify(sampleWitness()), 'w.json')).toThrow(/w.json does not hold/);
    expect(() => parseSiteOutputs('secret-nonsense', 'x')).toThrow(
      /x does not hold the outputs of a site stack/,
    );
  });
});
