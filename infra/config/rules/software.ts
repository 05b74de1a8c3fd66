import { onlyOn, required, type Rule, when } from './rule';

/** Arguments of `vllm serve` that the site's own unit sets; a second one would win over it, or open a port. */
const OWNED_VLLM_ARGS = ['--api-key', '--host', '--port', '--model', '--served-model-name', '--uds'];
const SECRET_VARIABLE = /(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY)$/i;

const isAddress = (value: string) => value.startsWith('https://');

function artifactRules(prefix: 'qdrant' | 'restic' | 'versitygw', kind: 'site' | 'witness'): readonly Rule[] {
  const artifact = `${prefix}Artifact` as const;
  const sha256 = `${prefix}ArtifactSha256` as const;
  return [
    required(
      artifact,
      `an absolute path on the server, or an https:// address of ${prefix}'s executable`,
      kind,
    ),
    {
      kind,
      reads: [artifact, sha256],
      check: (config) =>
        when(isAddress(config[artifact]) && config[sha256] === '', {
          key: sha256,
          got: '',
          allowed: `the SHA-256 of ${config[artifact]}; what is downloaded is checked against it`,
        }),
    },
  ];
}

/** For programs that come in an archive. */
function archivedArtifactRules(prefix: 'qdrant' | 'versitygw', kind: 'site' | 'witness'): readonly Rule[] {
  const artifact = `${prefix}Artifact` as const;
  const member = `${prefix}ArtifactMember` as const;
  return [
    ...artifactRules(prefix, kind),
    {
      kind,
      reads: [artifact, member],
      check: (config) =>
        when(config[member] !== '' && !isAddress(config[artifact]), {
          key: member,
          got: config[member],
          allowed: `"" when ${artifact} is a path, or make ${artifact} an https:// address of a .tar.gz`,
        }),
    },
  ];
}

/** Rules on what a site's server runs. */
export const siteSoftwareRules: readonly Rule[] = [
  {
    kind: 'site',
    reads: ['inferenceRuntime', 'inferenceImage'],
    check: ({ inferenceRuntime, inferenceImage }) =>
      when(inferenceRuntime === 'container' && inferenceImage === '', {
        key: 'inferenceImage',
        got: '',
        allowed: 'an image pinned by digest, because inferenceRuntime is container',
      }),
  },
  {
    kind: 'site',
    reads: ['inferenceRuntime', 'inferenceVenvPath'],
    check: ({ inferenceRuntime, inferenceVenvPath }) =>
      when(inferenceRuntime === 'venv' && inferenceVenvPath === '', {
        key: 'inferenceVenvPath',
        got: '',
        allowed: 'an absolute path on the server, because inferenceRuntime is venv',
      }),
  },
  {
    kind: 'site',
    reads: ['inferenceImage', 'inferenceVenvPath'],
    check: ({ inferenceRuntime, inferenceImage, inferenceVenvPath }) =>
      when(inferenceImage !== '' && inferenceVenvPath !== '', {
        key: inferenceRuntime === 'container' ? 'inferenceVenvPath' : 'inferenceImage',
        got: inferenceRuntime === 'container' ? inferenceVenvPath : inferenceImage,
        allowed: `either inferenceImage or inferenceVenvPath; inferenceRuntime is ${inferenceRuntime}`,
      }),
  },
  {
    kind: 'site',
    reads: ['inferenceExtraArgs'],
    check: ({ inferenceExtraArgs }) => {
      const owned = inferenceExtraArgs.filter((arg) => OWNED_VLLM_ARGS.includes(arg.replace(/=.*$/s, '')));
      return when(owned.length > 0, {
        key: 'inferenceExtraArgs',
        // An API key may be among them.
        got: owned.map((arg) => arg.replace(/=.*$/s, '')),
        allowed: `arguments other than ${OWNED_VLLM_ARGS.join(', ')}, which are set from their own keys`,
      });
    },
  },
  {
    kind: 'site',
    reads: ['inferenceEnvironment'],
    check: ({ inferenceEnvironment }) => {
      const secrets = Object.keys(inferenceEnvironment).filter((name) => SECRET_VARIABLE.test(name));
      return when(secrets.length > 0, {
        key: 'inferenceEnvironment',
        got: secrets,
        allowed:
          'no secrets: the environment shows in previews and in the unit. Weights come from the object store',
      });
    },
  },
  required('modelName', 'the name that clients ask for', 'site'),
  required('modelSha256', 'the version of the weights, as `failover model publish` prints it', 'site'),
  required('modelsFolder', 'the folder of the weights on the server', 'site'),
  {
    kind: 'site',
    reads: ['modelKnownPrompt', 'modelKnownAnswer'],
    check: ({ modelKnownPrompt: prompt, modelKnownAnswer: answer }) =>
      when((prompt === '') !== (answer === ''), {
        key: prompt === '' ? 'modelKnownPrompt' : 'modelKnownAnswer',
        got: '',
        allowed: 'a prompt and what it is answered with, or neither',
      }),
  },
  {
    kind: 'site',
    reads: ['modelReplacesSha256', 'modelSha256'],
    check: ({ modelReplacesSha256: before, modelSha256: now }) =>
      when(before !== '' && before === now, {
        key: 'modelReplacesSha256',
        got: before,
        allowed: 'the version before modelSha256, or "" when none rolls out',
      }),
  },
  ...archivedArtifactRules('qdrant', 'site'),
  ...artifactRules('restic', 'site'),
  required('qdrantVersion', 'a version such as 1.18.3', 'site'),
];

/** Rules on what the witness runs. */
export const witnessSoftwareRules: readonly Rule[] = onlyOn(
  'dedicated',
  archivedArtifactRules('versitygw', 'witness'),
);
