import { ConfigurationError, type Problem } from './problems';
import { hostKey, sshPrivateKey, TestAuthority } from './testing/certificates';
import { type Files, parse, type ParseOptions, SITE, validFiles, WITNESS } from './testing/valid-config';

let authority: TestAuthority;
let files: Files;
beforeAll(() => {
  authority = new TestAuthority();
  files = validFiles(authority);
});
afterAll(() => authority.remove());

function refusal(config: object, use: Files = files, options: ParseOptions = {}): ConfigurationError {
  try {
    parse({ ...config }, use, options);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

function only(error: ConfigurationError): Problem {
  const [problem, ...others] = error.problems;
  if (problem === undefined || others.length > 0) throw new Error(`expected one problem: ${error.message}`);
  return problem;
}

const refusesOnly = (change: object, base: object = SITE): Problem => only(refusal({ ...base, ...change }));

describe('a complete configuration', () => {
  it('becomes a site that knows itself, its peer, and the names that follow from the zone', () => {
    const parsed = parse({ ...SITE }, files);
    expect(parsed).toMatchObject({
      kind: 'site',
      own: { site: 'uk-primary' },
      peer: { site: 'eu-standby', host: 'eu.failover.test' },
      server: { name: 'uk-1' },
      settings: {
        serviceHost: 'api.failover.test',
        witnessHost: 'witness.failover.test',
        initialSite: 'uk-primary',
      },
    });
  });

  it('becomes a witness', () => {
    expect(parse({ ...WITNESS }, files)).toMatchObject({ kind: 'witness', server: { name: 'witness-1' } });
  });

  it('may come from the engine with integers as text', () => {
    expect(parse({ ...SITE, leaseTtlSeconds: '45' }, files).settings.leaseTtlSeconds).toBe(45);
  });
});

describe('an error', () => {
  it('names the stack, the key, the value got, what is allowed and where to set it', () => {
    const { message } = refusal({ ...SITE, leaseTtlSeconds: 'soon' }, files, { stack: 'uk-primary' });
    expect(message).toContain('stack uk-primary has one problem in its configuration; nothing was touched');
    expect(message).toContain(
      'failover:leaseTtlSeconds: got "soon"; allowed: a whole number of seconds from 3 to 600. ' +
        'Set the default of leaseTtlSeconds in Pulumi.yaml',
    );
  });

  it('points to the stack’s own file for what differs between stacks', () => {
    const { message } = refusal({ ...SITE, sshPort: 0 }, files, { stack: 'uk-primary' });
    expect(message).toContain('Set failover:sshPort in Pulumi.uk-primary.yaml.');
  });

  it('reports all problems at once', () => {
    const error = refusal({
      ...SITE,
      leaseTtlSeconds: 1,
      site: 'mars',
      sshPrivateKeyFile: 'none-such',
      colour: 1,
    });
    expect(error.problems.map(({ key }) => key).sort()).toEqual(
      ['colour', 'leaseTtlSeconds', 'site', 'sshPrivateKeyFile'].sort(),
    );
    expect(error.message).toContain('4 problems');
  });

  it('never shows a value that was encrypted', () => {
    const error = refusal({ ...SITE, modelName: 'hunter2 hunter2' }, files, {
      secretKeys: ['failover:modelName'],
    });
    expect(error.message).toContain('failover:modelName: allowed:');
    expect(error.message).not.toContain('hunter2');
  });

  it('has a stable code', () => {
    expect(refusal({ ...SITE, sshPort: 0 })).toMatchObject({ code: 'CONFIGURATION_INVALID' });
  });

  it('says "nothing" instead of an empty value', () => {
    expect(refusal({ ...SITE, modelsFolder: '' }).message).toContain('failover:modelsFolder: got nothing;');
  });
});

describe('keys', () => {
  it('refuses an unknown key and suggests the one that was meant', () => {
    expect(refusesOnly({ leaseTtlSecond: 30 })).toMatchObject({
      key: 'leaseTtlSecond',
      fix: 'Did you mean failover:leaseTtlSeconds? Rename or remove it.',
    });
  });

  it('refuses an unknown key that resembles none without guessing', () => {
    expect(refusesOnly({ wibble: 30 })).toMatchObject({ key: 'wibble', fix: 'Remove it.' });
  });

  it('leaves keys of other namespaces alone', () => {
    expect(() => parse({ ...SITE }, files, { otherValues: { 'aws:region': 'eu-west-2' } })).not.toThrow();
  });
});

describe('what a stack is', () => {
  it.each([
    ['a missing stack kind', { stackKind: '' }, 'stackKind'],
    ['an unknown stack kind', { stackKind: 'spare' }, 'stackKind'],
    ['an unknown DNS provider', { dnsProvider: 'bind' }, 'dnsProvider'],
    ['a stack without a server', { servers: [] }, 'servers'],
    [
      'more servers than the site has addresses',
      { servers: ['a', 'b'].map((name) => ({ name, address: `${name}.test`, hostKey: hostKey() })) },
      'servers',
    ],
    [
      'one server twice',
      {
        servers: ['a', 'a'].map((name) => ({ name, address: `${name}.test`, hostKey: hostKey() })),
        sites: SITE.sites?.map((site) => ({
          ...site,
          addresses: [...site.addresses, `${site.addresses[0]}1`],
        })),
      },
      'servers',
    ],
    [
      'a server address with a space',
      { servers: [{ name: 'a', address: 'a b', hostKey: hostKey() }] },
      'servers[0].address',
    ],
    ['no management networks', { managementCidrs: [] }, 'managementCidrs'],
    ['SSH open to the whole internet', { managementCidrs: ['0.0.0.0/0'] }, 'managementCidrs'],
    ['a network that is none', { clientCidrs: ['10.0.0.0/33'] }, 'clientCidrs[0]'],
    ['no client networks', { clientCidrs: [] }, 'clientCidrs'],
    ['no resolver networks', { resolverCidrs: [] }, 'resolverCidrs'],
    ['a witness without addresses', { witnessAddresses: [] }, 'witnessAddresses'],
    ['a fraction of a second', { leaseTtlSeconds: 7.5 }, 'leaseTtlSeconds'],
    ['a flag that is neither true nor false', { protectData: 'yes' }, 'protectData'],
    ['a map that is none', { inferenceEnvironment: 'A=1' }, 'inferenceEnvironment'],
  ])('refuses %s', (_what, change, key) => {
    expect(refusesOnly(change)).toMatchObject({ key });
  });

  it.each([
    ['the service’s name', { serviceHost: 'api.elsewhere.test' }, 'serviceHost'],
    ['the witness’s name', { witnessHost: 'witness.elsewhere.test' }, 'witnessHost'],
  ])('refuses %s outside of the zone', (_what, change, key) => {
    const keys = refusal({ ...WITNESS, ...change }).problems.map((problem) => problem.key);
    expect(keys).toContain(key);
  });

  it('refuses a missing zone', () => {
    expect(refusesOnly({ zone: '' })).toMatchObject({ key: 'zone' });
  });

  it('refuses a name that two things share', () => {
    const error = refusal({ ...SITE, serviceHost: 'uk.failover.test' });
    expect(error.problems.map(({ key }) => key)).toEqual(['serviceHost', 'sites[0].host']);
  });
});

describe('trap 37: SSH host keys are pinned', () => {
  it.each([
    ['none', ''],
    ['a fingerprint', 'SHA256:uNiVztksCsDhcc0u9e8BrkjcbMhcVvZTWwbRxnQBvVc'],
    ['a line cut short', hostKey().slice(0, 40)],
    ['a type that the blob contradicts', hostKey().replace('ssh-ed25519 ', 'ssh-rsa ')],
    ['a private key', sshPrivateKey('none')],
  ])('refuses %s instead of a public host key line', (_what, key) => {
    const servers = [{ name: 'uk-1', address: '10.1.0.10', hostKey: key }];
    expect(refusesOnly({ servers })).toMatchObject({ key: 'servers[0].hostKey' });
  });

  it('takes a line with a comment', () => {
    const servers = [{ name: 'uk-1', address: '10.1.0.10', hostKey: `${hostKey()} root@uk-1` }];
    expect(() => parse({ ...SITE, servers }, files)).not.toThrow();
  });

  it('refuses a server with a key that servers do not have', () => {
    const servers = [{ name: 'uk-1', address: '10.1.0.10', hostKey: hostKey(), port: 22 }];
    expect(refusesOnly({ servers })).toMatchObject({ key: 'servers[0]' });
  });
});

describe('sites', () => {
  const [uk, eu] = [
    { site: 'uk-primary', host: 'uk.failover.test', addresses: ['10.1.0.10'] },
    { site: 'eu-standby', host: 'eu.failover.test', addresses: ['10.2.0.10'] },
  ];

  it('refuses one site', () => {
    expect(refusesOnly({ sites: [uk] })).toMatchObject({
      key: 'sites',
      allowed: expect.stringContaining('exactly two'),
    });
  });

  it('refuses the same site twice', () => {
    const again = { ...eu, site: 'uk-primary' };
    expect(refusesOnly({ sites: [uk, again] }).allowed).toContain('a site is not its own peer');
  });

  it('refuses an address that two sites share', () => {
    expect(refusesOnly({ sites: [uk, { ...eu, addresses: ['10.1.0.10'] }] })).toMatchObject({
      got: ['10.1.0.10'],
    });
  });

  it('refuses a witness on a site’s own machine', () => {
    expect(refusesOnly({ witnessAddresses: ['10.2.0.10'] }).allowed).toContain('must stand apart');
  });

  it('refuses a site without addresses', () => {
    expect(refusesOnly({ sites: [uk, { ...eu, addresses: [] }] })).toMatchObject({
      key: 'sites[1].addresses',
    });
  });

  it('refuses a site that is not among the sites, and suggests the one that was meant', () => {
    expect(refusesOnly({ site: 'uk-primry' })).toMatchObject({
      key: 'site',
      fix: 'Did you mean uk-primary?',
    });
  });

  it('refuses a site stack that does not say which site it is', () => {
    expect(refusesOnly({ site: '' })).toMatchObject({ key: 'site' });
  });

  it('refuses an initial site that is none', () => {
    expect(refusesOnly({ initialSite: 'us-west' })).toMatchObject({ key: 'initialSite' });
  });
});

describe('timings', () => {
  it.each([
    [
      'a safety margin over a third of the lease',
      { leaseSafetyMarginSeconds: 11 },
      'leaseSafetyMarginSeconds',
    ],
    ['a probe that outlasts its interval', { probeTimeoutSeconds: 11 }, 'probeTimeoutSeconds'],
    ['trap 24: coming back as easily as failing', { probeRecoveryThreshold: 6 }, 'probeRecoveryThreshold'],
    ['copies that overlap', { publishIntervalSeconds: 100 }, 'copyEstimateSeconds'],
    ['publishes less than once an hour', { publishIntervalSeconds: 3601 }, 'publishIntervalSeconds'],
  ])('refuses %s', (_what, change, key) => {
    expect(refusesOnly(change)).toMatchObject({ key });
  });

  it('refuses an RTO that the timings exceed, with each sum written out', () => {
    const { problems } = refusal({ ...SITE, rtoSeconds: 100, switchingMode: 'automatic' });
    expect(problems.map(({ allowed }) => allowed)).toEqual([
      'at least 125.015 with these timings, for losing a region: 30.015 (lease runs out on any clock) + ' +
        '10 (standby looks at the lease) + 15 (standby claims the lease) + 10 (nameserver checks readiness) + ' +
        '60 (cached answers expire) = 125.015 s',
      'at least 215 with these timings, for a sick holder: 65 (canary fails often enough) + 20 (local engine restart gets its chance) + ' +
        '30 (last publish and apply) + 5 (writes on their way end) + 10 (standby looks at the lease) + ' +
        '15 (standby claims the lease) + 10 (nameserver checks readiness) + 60 (cached answers expire) = 215 s',
    ]);
  });

  it('refuses an RPO that the timings exceed, with the sum written out', () => {
    expect(refusesOnly({ rpoSeconds: 400 }).allowed).toBe(
      'at least 480 with these timings: 300 (publish interval) + 60 (apply interval) + 120 (copy, estimated) = 480 s',
    );
  });

  it('does not add up a sum of which one term is no number', () => {
    expect(refusesOnly({ publishIntervalSeconds: 'hourly', rpoSeconds: 1 })).toMatchObject({
      key: 'publishIntervalSeconds',
    });
  });
});

describe('software', () => {
  const container = { inferenceRuntime: 'container', inferenceVenvPath: '' };
  const image = `docker.io/vllm/vllm-openai@sha256:${'b'.repeat(64)}`;

  it.each([
    ['a container without an image', container, 'inferenceImage'],
    [
      'an image that is not pinned',
      { ...container, inferenceImage: 'vllm/vllm-openai:latest' },
      'inferenceImage',
    ],
    ['a venv without a path', { inferenceVenvPath: '' }, 'inferenceVenvPath'],
    ['an image and a venv at once', { inferenceImage: image }, 'inferenceImage'],
    ['vLLM arguments that we set', { inferenceExtraArgs: ['--api-key=hunter2'] }, 'inferenceExtraArgs'],
    ['secrets in the environment', { inferenceEnvironment: { HF_TOKEN: 'hf_x' } }, 'inferenceEnvironment'],
    ['weights without a checksum', { modelSha256: '' }, 'modelSha256'],
    ['Qdrant from nowhere', { qdrantArtifact: '' }, 'qdrantArtifact'],
    ['a download without a checksum', { qdrantArtifact: 'https://x.test/q' }, 'qdrantArtifactSha256'],
    ['a download without TLS', { qdrantArtifact: 'http://x.test/q' }, 'qdrantArtifact'],
    ['an archive member of a plain path', { qdrantArtifactMember: 'qdrant' }, 'qdrantArtifactMember'],
    ['a Qdrant version range', { qdrantVersion: '^1.18.0' }, 'qdrantVersion'],
  ])('refuses %s', (_what, change, key) => {
    expect(refusesOnly(change)).toMatchObject({ key });
  });

  it('does not show the value of an argument that may be a key', () => {
    expect(refusal({ ...SITE, inferenceExtraArgs: ['--api-key=hunter2'] }).message).not.toContain('hunter2');
  });

  it('asks a witness for its store and not for a model', () => {
    const bare = {
      modelName: '',
      modelsFolder: '',
      modelSha256: '',
      qdrantArtifact: '',
      inferenceVenvPath: '',
    };
    expect(() => parse({ ...WITNESS, ...bare }, files)).not.toThrow();
    expect(refusesOnly({ versitygwArtifact: '' }, WITNESS)).toMatchObject({ key: 'versitygwArtifact' });
  });

  it('accepts a pinned container', () => {
    expect(() => parse({ ...SITE, ...container, inferenceImage: image }, files)).not.toThrow();
  });
});

describe('key and certificate files', () => {
  const refusesFile = (change: Files, options?: ParseOptions) =>
    only(refusal(SITE, { ...files, ...change }, options));

  it.each([
    ['sshPrivateKeyFile', 'the file with the private key'],
    ['tlsCertificateFile', 'api.failover.test and uk.failover.test'],
    ['tlsPrivateKeyFile', 'PEM private key'],
  ])('refuses a stack without %s', (key, allowed) => {
    expect(refusesOnly({ [key]: '' })).toMatchObject({ key, allowed: expect.stringContaining(allowed) });
  });

  it('refuses a file that does not exist', () => {
    expect(refusesOnly({ sshPrivateKeyFile: 'gone' })).toMatchObject({
      got: 'gone',
      allowed: 'a file that exists',
    });
  });

  it.each([
    ['an encrypted OpenSSH key', sshPrivateKey('aes256-ctr')],
    [
      'an encrypted PEM key',
      '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n',
    ],
    ['a public key', hostKey()],
  ])('refuses %s to log in with', (_what, text) => {
    expect(refusesFile({ 'ssh-key': text })).toMatchObject({ key: 'sshPrivateKeyFile' });
  });

  it('never prints what is in a key file', () => {
    const error = refusal(SITE, { ...files, 'ssh-key': 'hunter2', 'uk.key': 'hunter2' });
    expect(error.problems).toHaveLength(2);
    expect(error.message).not.toContain('hunter2');
  });

  it('refuses a certificate that does not cover the service', () => {
    const { certificate, privateKey } = authority.issue(['uk.failover.test']);
    expect(refusesFile({ 'uk.pem': certificate, 'uk.key': privateKey })).toMatchObject({
      key: 'tlsCertificateFile',
      allowed: 'a certificate that covers api.failover.test',
    });
  });

  it('refuses a certificate that is about to end', () => {
    const soon = new Date(Date.now() + 88 * 86_400_000);
    expect(refusesFile({}, { now: soon }).allowed).toMatch(/more than 3 days left/);
  });

  it('refuses a certificate that is not valid yet', () => {
    expect(refusesFile({}, { now: new Date('2020-01-01') }).allowed).toMatch(/valid already/);
  });

  it('refuses a key that belongs to another certificate', () => {
    expect(refusesFile({ 'uk.key': files['eu.key'] ?? '' }).allowed).toMatch(/belongs to tlsPrivateKeyFile/);
  });

  it('refuses a certificate of an authority that the peer does not trust', () => {
    const other = new TestAuthority();
    try {
      expect(refusesFile({ 'ca.pem': other.certificate }).allowed).toMatch(
        /leads to an authority in caCertificateFile/,
      );
    } finally {
      other.remove();
    }
  });

  it('refuses a certificate file that holds none', () => {
    expect(refusesFile({ 'uk.pem': 'hello' })).toMatchObject({ allowed: 'one or more PEM certificates' });
  });

  it('refuses a missing authority file', () => {
    expect(refusesOnly({ caCertificateFile: 'gone' })).toMatchObject({ key: 'caCertificateFile' });
  });
});

describe('tlsMode acme', () => {
  const acme = {
    tlsMode: 'acme',
    acmeEmail: 'ops@failover.test',
    tlsCertificateFile: '',
    tlsPrivateKeyFile: '',
  };

  it('needs no certificate files on a site', () => {
    expect(parse({ ...SITE, ...acme }, files).files.tls).toBeUndefined();
  });

  it('refuses a site that has files as well', () => {
    expect(refusesOnly({ ...acme, tlsCertificateFile: 'uk.pem' })).toMatchObject({
      key: 'tlsCertificateFile',
    });
  });

  it('refuses a site without an e-mail address', () => {
    expect(refusesOnly({ ...acme, acmeEmail: '' })).toMatchObject({ key: 'acmeEmail' });
  });

  it('refuses a site without a directory', () => {
    expect(refusesOnly({ ...acme, acmeDirectoryUrl: '' })).toMatchObject({ key: 'acmeDirectoryUrl' });
  });

  it('still takes the witness’s certificate from files', () => {
    expect(
      parse(
        { ...WITNESS, ...acme, tlsCertificateFile: 'witness.pem', tlsPrivateKeyFile: 'witness.key' },
        files,
      ).files.tls,
    ).toBeDefined();
    expect(refusal({ ...WITNESS, ...acme }).problems.map(({ key }) => key)).toEqual([
      'tlsCertificateFile',
      'tlsPrivateKeyFile',
    ]);
  });
});
