/** A throw-away project on the real engine: its own folder, backend and passphrase, destroyed in the end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REPOSITORY } from '../../cache';
import { ensureEngine, type Engine } from '../../engine';

export interface EngineResult {
  readonly status: number | null;
  /** stdout and stderr as they came. */
  readonly output: string;
}

interface ExportedResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

export class Project {
  private constructor(
    readonly folder: string,
    private readonly engine: Engine,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** @param environment what the engine's becomes, such as one with an emulated plugin in it */
  static async create(
    environment: (env: NodeJS.ProcessEnv) => Promise<NodeJS.ProcessEnv> = (env) => Promise.resolve(env),
  ): Promise<Project> {
    const engine = await ensureEngine();
    const folder = await mkdtemp(path.join(tmpdir(), 'engine-test-'));
    await mkdir(path.join(folder, 'backend'));
    await symlink(path.join(REPOSITORY, 'node_modules'), path.join(folder, 'node_modules'));
    await writeFile(
      path.join(folder, 'Pulumi.yaml'),
      'name: conformance\nruntime:\n  name: nodejs\n  options: { typescript: false }\n',
    );
    await writeFile(path.join(folder, 'package.json'), '{"name":"conformance","private":true}\n');
    const project = new Project(folder, engine, {
      ...(await environment(engine.env)),
      PULUMI_BACKEND_URL: `file://${folder}/backend`,
      PULUMI_CONFIG_PASSPHRASE: 'only for this test',
    });
    await project.mustRun(['stack', 'init', 'test']);
    return project;
  }

  /**
   * Deploys a program.
   *
   * @param program body of a JavaScript file that has `pulumi`, `command` and `random` in scope
   */
  async up(program: string, ...flags: string[]): Promise<EngineResult> {
    await this.write(program);
    return this.run(['up', '--yes', '--skip-preview', '--diff', ...flags]);
  }

  async preview(program: string, ...flags: string[]): Promise<EngineResult> {
    await this.write(program);
    return this.run(['preview', '--diff', ...flags]);
  }

  async mustUp(program: string, ...flags: string[]): Promise<string> {
    await this.write(program);
    return this.mustRun(['up', '--yes', '--skip-preview', '--diff', ...flags]);
  }

  async mustRun(args: readonly string[]): Promise<string> {
    const { status, output } = await this.run(args);
    if (status !== 0) throw new Error(`pulumi ${args.join(' ')} ended with ${status}:\n${output}`);
    return output;
  }

  async run(args: readonly string[]): Promise<EngineResult> {
    return finished(this.start(args));
  }

  /** Starts a deployment that the test will interrupt. */
  async startUp(program: string): Promise<ChildProcess> {
    await this.write(program);
    return this.start(['up', '--yes', '--skip-preview']);
  }

  /** Every resource in the state, as exported: secrets encrypted. */
  async resources(): Promise<readonly ExportedResource[]> {
    const { stdout } = await this.capture(['stack', 'export']);
    return (
      (JSON.parse(stdout) as { deployment: { resources?: ExportedResource[] } }).deployment.resources ?? []
    );
  }

  /** The one resource with this logical name. */
  async resource(name: string): Promise<ExportedResource> {
    const found = (await this.resources()).filter(({ urn }) => urn.endsWith(`::${name}`));
    if (found.length !== 1) throw new Error(`expected one resource ${name}, found ${found.length}`);
    return found[0] as ExportedResource;
  }

  /** The state as text, for looking for what must not be in it. */
  async stateText(): Promise<string> {
    return (await this.capture(['stack', 'export'])).stdout;
  }

  async outputs(): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = await this.capture(['stack', 'output', '--json', '--show-secrets']);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** Destroys what is deployed and removes the folder. */
  async end(): Promise<void> {
    await this.run(['destroy', '--yes', '--skip-preview']);
    await rm(this.folder, { recursive: true, force: true });
  }

  private async write(program: string): Promise<void> {
    await writeFile(
      path.join(this.folder, 'index.js'),
      `const pulumi = require('@pulumi/pulumi');\nconst command = require('@pulumi/command');\n` +
        `const random = require('@pulumi/random');\n${program}\n`,
    );
  }

  private start(args: readonly string[]): ChildProcess {
    const stack = args[0] === 'stack' && args[1] === 'init' ? [] : ['--stack', 'test'];
    return spawn(this.engine.pulumi, [...args, '--non-interactive', '--color', 'never', ...stack], {
      cwd: this.folder,
      env: this.env,
    });
  }

  private async capture(args: readonly string[]): Promise<{ stdout: string }> {
    const child = this.start(args);
    let stdout = '';
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const { status, output } = await finished(child);
    if (status !== 0) throw new Error(output);
    return { stdout };
  }
}

export async function finished(child: ChildProcess): Promise<EngineResult> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });
}
