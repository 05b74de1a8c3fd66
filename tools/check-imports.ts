/**
 * Holds the folders to their directions: what a server runs must not depend on what deploys it, and nothing that is
 * deployed may know of the lab. Run it with `npx ts-node --transpile-only tools/check-imports.ts`.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import ts from 'typescript';
import { REPOSITORY } from './cache';

/** Which of our folders each folder may import from; `infra/contract` is the part of infra that everyone shares. */
export const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  stacks: ['stacks', 'components', 'infra'],
  components: ['components', 'infra'],
  infra: ['infra'],
  agent: ['agent', 'infra/contract'],
  scripts: ['scripts', 'infra/contract'],
  bench: ['bench', 'agent', 'lab', 'tools', 'infra/contract'],
  lab: ['lab', 'tools', 'infra/contract'],
  tools: ['tools'],
};

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly imports: string;
}

/** Every import that goes against {@link DIRECTIONS}, tests included. */
export async function findViolations(root: string): Promise<readonly Violation[]> {
  const violations: Violation[] = [];
  for (const folder of Object.keys(DIRECTIONS)) {
    for (const file of await typescriptFiles(path.join(root, folder))) {
      violations.push(...violationsIn(root, file, await readFile(file, 'utf8')));
    }
  }
  return violations;
}

function violationsIn(root: string, file: string, content: string): readonly Violation[] {
  const from = path.relative(root, file);
  const allowed = DIRECTIONS[from.split(path.sep)[0] as string] ?? [];
  return importsOf(file, content)
    .map(({ line, specifier }) => ({
      line,
      target: path
        .relative(root, path.resolve(path.dirname(file), specifier))
        .split(path.sep)
        .join('/'),
    }))
    .filter(({ target }) => DIRECTIONS[target.split('/')[0] as string] !== undefined)
    .filter(({ target }) => !allowed.some((folder) => target === folder || target.startsWith(`${folder}/`)))
    .map(({ line, target }) => ({ file: from, line, imports: target }));
}

/** Relative imports of a file, in every form that TypeScript has. */
function importsOf(
  file: string,
  content: string,
): readonly { readonly line: number; readonly specifier: string }[] {
  const source = ts.createSourceFile(file, content, ts.ScriptTarget.ES2022, true);
  const found: { line: number; specifier: string }[] = [];
  const add = (node: ts.Node | undefined): void => {
    if (node === undefined || !ts.isStringLiteralLike(node) || !node.text.startsWith('.')) return;
    found.push({
      line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1,
      specifier: node.text,
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) add(node.expression);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    else if (ts.isCallExpression(node) && isLoader(node.expression)) add(node.arguments[0]);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const JEST_LOADERS = new Set(['mock', 'unmock', 'doMock', 'requireActual', 'requireMock', 'resolve']);

/** `import(…)`, `require(…)`, `require.resolve(…)` and jest's module functions. */
function isLoader(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  if (ts.isIdentifier(callee)) return callee.text === 'require';
  return (
    ts.isPropertyAccessExpression(callee) &&
    ts.isIdentifier(callee.expression) &&
    ['jest', 'require'].includes(callee.expression.text) &&
    JEST_LOADERS.has(callee.name.text)
  );
}

async function typescriptFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  return entries
    .filter(
      (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'),
    )
    .map((entry) => path.join(entry.parentPath, entry.name));
}

async function main(): Promise<void> {
  const violations = await findViolations(REPOSITORY);
  for (const { file, line, imports } of violations) {
    const folder = file.split(path.sep)[0] as string;
    const allowed = (DIRECTIONS[folder] ?? []).join(', ');
    console.error(`${file}:${line} imports ${imports}; ${folder}/ may import from ${allowed} only`);
  }
  if (violations.length > 0) process.exitCode = 1;
  else console.log('every import goes in the right direction');
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
