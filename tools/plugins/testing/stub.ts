import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundle } from '../build';
import type { Project } from './project';

/** Lets a project's programs declare resources of these providers without their plugins, and without a cloud. */
export async function stubProviders(project: Project, names: readonly string[]): Promise<void> {
  const folder = path.join(project.folder, 'stubs');
  await mkdir(folder);
  for (const name of names)
    await bundle(path.join(__dirname, 'stub-provider.ts'), path.join(folder, `pulumi-resource-${name}`));
  const providers = names.map((name) => ({ name, path: folder }));
  await writeFile(
    path.join(project.folder, 'Pulumi.yaml'),
    JSON.stringify({
      name: 'conformance',
      runtime: { name: 'nodejs', options: { typescript: false } },
      plugins: { providers },
    }),
  );
}
