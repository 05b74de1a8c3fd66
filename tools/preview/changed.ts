/** Stacks that a change may touch, and which of the three there are. */
export const STACKS = ['witness', 'uk-primary', 'eu-standby'] as const;
export type Stack = (typeof STACKS)[number];

const STACK_FILE = /^Pulumi\.(.+)\.yaml$/;
/** Nothing here is deployed, nor decides what is. */
const NEVER_DEPLOYED = [
  /^docs\//,
  /^lab\//,
  /^drills\//,
  /^scripts\//,
  /^\.ci\//,
  /\.md$/,
  /\.test\.ts$/,
  /\/testing\//,
];

/** @param files paths that differ, from the repository's root */
export function changedStacks(files: readonly string[]): Stack[] {
  const deployed = files.filter((file) => !NEVER_DEPLOYED.some((pattern) => pattern.test(file)));
  const own = deployed.map((file) => STACK_FILE.exec(file)?.[1]);
  // What is no stack's own file is shared by all of them.
  if (own.includes(undefined)) return [...STACKS];
  return STACKS.filter((stack) => own.includes(stack));
}

export function isStack(name: string): name is Stack {
  return (STACKS as readonly string[]).includes(name);
}
