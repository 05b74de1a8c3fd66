/** The linter of GitHub workflows. */
import path from 'node:path';
import { ensureArtifact } from '../cache';
import { goBuild } from '../go';
import { VERSIONS } from '../versions';

/** Answers the executable, built from published modules. */
export async function ensureActionlint(): Promise<string> {
  const folder = await ensureArtifact(
    `actionlint-${VERSIONS.actionlint}`,
    `building actionlint ${VERSIONS.actionlint}`,
    (target) =>
      goBuild({
        module: path.join(__dirname, 'go-actionlint'),
        package: 'github.com/rhysd/actionlint/cmd/actionlint',
        output: path.join(target, 'actionlint'),
        set: [],
      }),
  );
  return path.join(folder, 'actionlint');
}
