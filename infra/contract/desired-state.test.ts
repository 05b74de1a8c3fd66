import { createHash } from 'node:crypto';
import { AppliedState, bundleKey, desiredKey, DesiredState, specKey, statusKey } from './desired-state';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
const BUNDLE = hash('bundle');
const SPEC = hash('spec');
const DESIRED: DesiredState = {
  schemaVersion: 1,
  server: 'uk-1',
  bundle: { key: bundleKey(BUNDLE), sha256: BUNDLE },
  spec: { key: specKey(SPEC), sha256: SPEC },
  secrets: {
    region: 'eu-west-2',
    names: {
      'client-key': 'arn:aws:secretsmanager:eu-west-2:111122223333:secret:failover/client-key-AbCdEf',
    },
  },
};

describe('desired state', () => {
  it('has keys that servers and the deployment agree on', () => {
    expect([bundleKey('b'), specKey('s'), desiredKey('uk-1'), statusKey('uk-1')]).toEqual([
      'bundles/b.js',
      'specs/s.json',
      'desired/uk-1.json',
      'status/uk-1.json',
    ]);
  });

  it('is read back as it was written', () => {
    expect(DesiredState.parse(JSON.parse(JSON.stringify(DESIRED)))).toEqual(DESIRED);
  });

  it.each([
    ['another version', { schemaVersion: 2 }],
    ['a name that could leave the prefix', { server: '../uk-1' }],
    ['a key that is not of the hash', { bundle: { key: bundleKey(SPEC), sha256: BUNDLE } }],
    ['a hash in upper case', { spec: { key: specKey(SPEC), sha256: SPEC.toUpperCase() } }],
    ['an unknown credential', { secrets: { region: 'eu-west-2', names: { 'master-key': 'arn:aws:x' } } }],
    ['a value where an ARN should be', { secrets: { region: 'eu-west-2', names: { 'client-key': 'k' } } }],
    ['more than is known', { extra: true }],
  ])('refuses %s', (_what, change) => {
    expect(DesiredState.safeParse({ ...DESIRED, ...change }).success).toBe(false);
  });
});

describe('applied state', () => {
  it('holds version ids and no values', () => {
    const state: AppliedState = {
      schemaVersion: 1,
      server: 'uk-1',
      bundle: BUNDLE,
      spec: null,
      secretVersions: { 'peer-key': ['v2', 'v1'] },
      appliedAt: null,
      checkedAt: '2030-01-01T00:00:00.000Z',
      wanted: { bundle: BUNDLE, spec: SPEC },
      ok: false,
      error: 'not-ready: failover-qdrant.service did not start',
    };
    expect(AppliedState.parse(state)).toEqual(state);
    expect(AppliedState.safeParse({ ...state, secrets: {} }).success).toBe(false);
  });
});
