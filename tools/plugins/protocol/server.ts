/**
 * Serves a provider to the engine: its protocol over gRPC, on a loopback port that is told on stdout.
 *
 * The SDK's own provider server is not used: it hides the inputs that are deployed, cancellation and the log, all of
 * which the vendor's plugins have.
 */
import * as grpc from '@grpc/grpc-js';
import * as emptyMessages from 'google-protobuf/google/protobuf/empty_pb';
import * as pluginMessages from '@pulumi/pulumi/proto/plugin_pb';
import { ResourceProviderService } from '@pulumi/pulumi/proto/provider_grpc_pb';
import * as messages from '@pulumi/pulumi/proto/provider_pb';
import { EngineLog } from './engine-log';
import { diffResponse, fromStruct, toStruct, withIgnored } from './messages';
import type { Operation, Provider, ResourceType } from './provider';

const MAX_MESSAGE = 400 * 1024 * 1024;
const MESSAGE_LIMITS = {
  'grpc.max_receive_message_length': MAX_MESSAGE,
  'grpc.max_send_message_length': MAX_MESSAGE,
};

const ENGINE_CHECK_MS = 2_000;
/** For telling servers to end what runs on them. */
const TIME_TO_STOP_MS = 500;

/** The engine asked for a resource type that this plugin does not have. */
export class UnknownResourceTypeError extends Error {
  readonly code = 'UNKNOWN_RESOURCE_TYPE';
  constructor(provider: Provider, type: string) {
    super(
      `the ${provider.name} plugin has no resource type ${type}, only ${Object.keys(provider.resources).join(', ')}; ` +
        "use one of those, or the vendor's plugin",
    );
    this.name = 'UnknownResourceTypeError';
  }
}

export class UnknownFunctionError extends Error {
  readonly code = 'UNKNOWN_FUNCTION';
  constructor(provider: Provider, token: string) {
    super(
      `the ${provider.name} plugin has no function ${token}, only ${Object.keys(provider.functions ?? {}).join(', ') || 'resources'}`,
    );
    this.name = 'UnknownFunctionError';
  }
}

export async function serve(provider: Provider, argv: readonly string[]): Promise<void> {
  const server = new grpc.Server(MESSAGE_LIMITS);
  const running = new RunningOperations(new EngineLog(engineAddress(argv), MESSAGE_LIMITS));
  server.addService(ResourceProviderService, handlers(provider, running));
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  process.stdout.write(`${port}\n`);
  endWithEngine(process.ppid, running);
}

/** An engine that was killed cannot end its plugins, so they notice by themselves, and end what they run. */
function endWithEngine(engine: number, running: RunningOperations): void {
  const watch = setInterval(() => {
    if (process.ppid === engine) return;
    clearInterval(watch);
    running.cancel();
    setTimeout(() => process.exit(1), TIME_TO_STOP_MS);
  }, ENGINE_CHECK_MS).unref();
}

function engineAddress(argv: readonly string[]): string | undefined {
  return argv.find((argument) => !argument.startsWith('-'));
}

/** Operations under way, so that a cancelled deployment can stop them. */
class RunningOperations {
  private readonly cancelled = new AbortController();
  constructor(readonly log: EngineLog) {}

  private start(urn: string, timeoutSeconds: number): Operation {
    const signals = [this.cancelled.signal];
    if (timeoutSeconds > 0) signals.push(AbortSignal.timeout(timeoutSeconds * 1000));
    return {
      urn,
      name: urn.split('::').slice(3).join('::'),
      signal: AbortSignal.any(signals),
      log: this.log.of(urn),
    };
  }

  /** Runs an operation and answers it only when its words have been told. */
  async run<T>(urn: string, timeoutSeconds: number, work: (operation: Operation) => Promise<T>): Promise<T> {
    try {
      return await work(this.start(urn, timeoutSeconds));
    } finally {
      await this.log.drained();
    }
  }

  cancel(): void {
    this.cancelled.abort(new Error('the deployment was cancelled'));
  }
}

type Unary<Request, Response> = grpc.handleUnaryCall<Request, Response>;

function unary<Request, Response>(
  answer: (request: Request) => Response | Promise<Response>,
): Unary<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => answer(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) =>
          callback({
            code: grpc.status.UNKNOWN,
            details: error instanceof Error ? error.message : String(error),
          }),
      );
  };
}

function handlers(provider: Provider, running: RunningOperations): grpc.UntypedServiceImplementation {
  const typeOf = (urn: string): ResourceType => {
    const token = (urn.split('::')[2] ?? '').split('$').pop() ?? '';
    const type = provider.resources[token];
    if (type === undefined) throw new UnknownResourceTypeError(provider, token);
    return type;
  };
  return {
    getPluginInfo: unary(() => {
      const info = new pluginMessages.PluginInfo();
      info.setVersion(provider.version);
      return info;
    }),
    getSchema: unary(() => {
      const response = new messages.GetSchemaResponse();
      response.setSchema(JSON.stringify({ name: provider.name, version: provider.version }));
      return response;
    }),
    checkConfig: unary((request: messages.CheckRequest) => {
      const response = new messages.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    diffConfig: unary(() => new messages.DiffResponse()),
    configure: unary((request: messages.ConfigureRequest) => {
      provider.configure?.(fromStruct(request.getArgs()));
      const response = new messages.ConfigureResponse();
      response.setAcceptsecrets(provider.acceptSecrets);
      response.setAcceptresources(true);
      response.setSupportspreview(true);
      return response;
    }),
    attach: unary((request: pluginMessages.PluginAttach) => {
      running.log.connect(request.getAddress());
      return new emptyMessages.Empty();
    }),
    cancel: unary(() => {
      running.cancel();
      return new emptyMessages.Empty();
    }),
    check: unary((request: messages.CheckRequest) => {
      const { inputs, failures } = typeOf(request.getUrn()).check(fromStruct(request.getNews()));
      const response = new messages.CheckResponse();
      response.setInputs(toStruct(inputs));
      response.setFailuresList(
        failures.map(({ property, reason }) => {
          const failure = new messages.CheckFailure();
          failure.setProperty(property);
          failure.setReason(reason);
          return failure;
        }),
      );
      return response;
    }),
    diff: unary((request: messages.DiffRequest) =>
      diffResponse(
        typeOf(request.getUrn()).diff({
          state: fromStruct(request.getOlds()),
          oldInputs: fromStruct(request.getOldInputs()),
          inputs: withIgnored(request.getNews(), request.getOlds(), request.getIgnorechangesList()),
        }),
      ),
    ),
    create: unary(async (request: messages.CreateRequest) => {
      const type = typeOf(request.getUrn());
      const inputs = fromStruct(request.getProperties());
      const response = new messages.CreateResponse();
      if (request.getPreview()) {
        response.setProperties(toStruct(type.previewCreate(inputs)));
        return response;
      }
      const created = await running.run(request.getUrn(), request.getTimeout(), (operation) =>
        type.create(inputs, operation),
      );
      response.setId(created.id);
      response.setProperties(toStruct(created.outputs));
      return response;
    }),
    update: unary(async (request: messages.UpdateRequest) => {
      const type = typeOf(request.getUrn());
      const change = {
        state: fromStruct(request.getOlds()),
        inputs: withIgnored(request.getNews(), request.getOlds(), request.getIgnorechangesList()),
      };
      const response = new messages.UpdateResponse();
      response.setProperties(
        toStruct(
          request.getPreview()
            ? type.previewUpdate(change)
            : await running.run(request.getUrn(), request.getTimeout(), (operation) =>
                type.update(change, operation),
              ),
        ),
      );
      return response;
    }),
    invoke: unary(async (request: messages.InvokeRequest) => {
      const ask = provider.functions?.[request.getTok()];
      if (ask === undefined) throw new UnknownFunctionError(provider, request.getTok());
      const response = new messages.InvokeResponse();
      response.setReturn(toStruct(await ask(fromStruct(request.getArgs()))));
      return response;
    }),
    read: unary(async (request: messages.ReadRequest) => {
      const response = new messages.ReadResponse();
      const type = typeOf(request.getUrn());
      if (type.read !== undefined) {
        const found = await type.read(
          request.getId(),
          fromStruct(request.getProperties()),
          fromStruct(request.getInputs()),
        );
        if (found === null) return response; // without an id: it is gone
        response.setId(request.getId());
        response.setProperties(toStruct(found.outputs));
        response.setInputs(toStruct(found.inputs));
        return response;
      }
      // What was deployed is all that is known of it: a refresh answers the state that it was given.
      response.setId(request.getId());
      response.setProperties(request.getProperties());
      response.setInputs(request.getInputs());
      return response;
    }),
    delete: unary(async (request: messages.DeleteRequest) => {
      await running.run(request.getUrn(), request.getTimeout(), (operation) =>
        typeOf(request.getUrn()).delete(fromStruct(request.getProperties()), operation),
      );
      return new emptyMessages.Empty();
    }),
  };
}
