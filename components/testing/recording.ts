/** A mock engine that records what a program registers, with what the SDK's own mocks leave out: parents and order. */
import * as pulumi from '@pulumi/pulumi';

/** How the SDK marks a secret on the wire. */
const SIGNATURE = '4dabf18193072939515e22adb298388d';
const SECRET = '1b47061264138c4ac30d75fd1eb44270';

export interface Recorded {
  readonly type: string;
  readonly name: string;
  readonly parent: string;
  /** Names of everything that must come first. */
  readonly dependencies: readonly string[];
  readonly protect: boolean;
  /** Absent when there are none. */
  readonly ignoreChanges?: readonly string[];
  readonly additionalSecretOutputs: readonly string[];
  /** Secrets as {@link Secret}. */
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** A value that the program marked as secret. */
export class Secret {
  constructor(readonly value: unknown) {}
}

interface RegisterRequest {
  getType(): string;
  getName(): string;
  getParent(): string;
  getDependenciesList(): string[];
  getProtect(): boolean;
  getIgnorechangesList(): string[];
  getAdditionalsecretoutputsList(): string[];
  getObject(): { toJavaScript(): Record<string, unknown> };
}
interface MockMonitor {
  registerResource(request: RegisterRequest, callback: unknown): Promise<void>;
}
interface RuntimeInternals {
  getMonitor(): MockMonitor;
  waitForRPCs(): Promise<void>;
}
const internals = pulumi.runtime as unknown as RuntimeInternals;

const nameOf = (urn: string): string => urn.split('::').at(-1) ?? '';

function markSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(markSecrets);
  if (typeof value !== 'object' || value === null) return value;
  if (Reflect.get(value, SIGNATURE) === SECRET) return new Secret(markSecrets(Reflect.get(value, 'value')));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, markSecrets(inner)]));
}

export interface MockWorld {
  readonly stack?: string;
  readonly preview?: boolean;
  readonly config?: Readonly<Record<string, string>>;
  /** Outputs of the stack that a StackReference reads. */
  readonly referencedOutputs?: Readonly<Record<string, unknown>>;
  /** What the provider's functions answer, by their tokens. */
  readonly functions?: Readonly<Record<string, (args: Readonly<Record<string, unknown>>) => object>>;
}

/** What the provider would have added to the inputs. */
function computed(
  type: string,
  name: string,
  referencedOutputs: MockWorld['referencedOutputs'] = {},
): object {
  if (type === 'pulumi:pulumi:StackReference') {
    return {
      outputs: referencedOutputs,
      secretOutputNames: Object.keys(referencedOutputs).filter((key) => key.endsWith('Key')),
    };
  }
  if (type === 'random:index/randomPassword:RandomPassword') return { result: `generated for ${name}` };
  if (type === 'aws:iam/accessKey:AccessKey') return { secret: `generated for ${name}` };
  if (type === 'aws:route53/zone:Zone')
    return { arn: `arn:${name}`, zoneId: `${name}-id`, nameServers: ['ns-1.example.net'] };
  return type.startsWith('aws:') ? { arn: `arn:${name}` } : {};
}

/** Run a program against the mock engine; returns what it registered, in order, and what it returned. */
export async function record<Result>(
  program: () => Result | Promise<Result>,
  { stack = 'test', preview = false, config = {}, referencedOutputs = {}, functions = {} }: MockWorld = {},
): Promise<{ resources: readonly Recorded[]; result: Result }> {
  const resources: Recorded[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => ({
        id: `${name}-id`,
        state: { ...(inputs as object), ...computed(type, name, referencedOutputs) },
      }),
      call: ({ token, inputs }) => functions[token]?.(inputs as Record<string, unknown>) ?? {},
    },
    'failover',
    stack,
    preview,
    'organization',
  );
  pulumi.runtime.setAllConfig({ ...config });
  const monitor = internals.getMonitor();
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) => {
    resources.push({
      type: request.getType(),
      name: request.getName(),
      parent: nameOf(request.getParent()),
      dependencies: request.getDependenciesList().map(nameOf),
      protect: request.getProtect(),
      ...(request.getIgnorechangesList().length === 0
        ? {}
        : { ignoreChanges: request.getIgnorechangesList() }),
      additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
      inputs: markSecrets(request.getObject().toJavaScript()) as Record<string, unknown>,
    });
    return register(request, callback);
  };
  try {
    return { resources, result: await program() };
  } finally {
    await internals.waitForRPCs();
  }
}

/** @param type needed where a component's child has the component's own name */
export function named(resources: readonly Recorded[], name: string, type?: string): Recorded {
  const found = resources.find(
    (resource) => resource.name === name && (type === undefined || resource.type === type),
  );
  if (found === undefined)
    throw new Error(`no resource ${name} among ${resources.map((resource) => resource.name).join(', ')}`);
  return found;
}

/** The value of an output, once it is known. */
export function valueOf<Value>(output: pulumi.Input<Value>): Promise<pulumi.Unwrap<Value>> {
  return new Promise((resolve) => {
    pulumi.output(output).apply((value) => resolve(value as pulumi.Unwrap<Value>));
  });
}
